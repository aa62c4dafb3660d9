/* A workload's certificate chain, private key and trust bundle, read and judged. */
#ifndef MESHSHIM_CREDENTIALS_H
#define MESHSHIM_CREDENTIALS_H

#include <openssl/x509.h>

#include "base/buf.h"
#include "policy/snapshot.h"
#include "tls/spiffe.h"

struct credentials {
    X509 *leaf;
    STACK_OF(X509) * chain; /* the file's certificates in its order, leaf first */
    EVP_PKEY *key;
    X509_STORE *roots;
    char spiffe_id[SPIFFE_ROOM];
};

/* What is wrong, a sentence a line: with a fault no connection is possible; a warning is for people. */
struct findings {
    struct buf faults, warnings;
    int fault_count;
};

#define FINDINGS_INIT                                                                                        \
    {                                                                                                        \
        BUF_INIT, BUF_INIT, 0                                                                                \
    }

/* Reads what can be read and judges it at `now` (seconds since the epoch); free both whatever was found. */
void credentials_load(const struct workload *workload, int64_t now, struct credentials *credentials,
                      struct findings *findings);
void credentials_free(struct credentials *credentials);
void findings_free(struct findings *findings);

#endif
