/* The judgement of a peer's certificate, as OpenSSL's verification callback. */
#ifndef MESHSHIM_PEER_H
#define MESHSHIM_PEER_H

#include <openssl/ssl.h>

#include "tls/chains.h"
#include "tls/identity.h"

/* What it judges by; belongs to the identity. */
struct peer_judge {
    struct chains *chains;
    char *bundle_path; /* for sentences */
};

/* For SSL_CTX_set_cert_verify_callback; `judge` is a struct peer_judge. Fills the SSL's struct peer_check. */
int peer_verify(X509_STORE_CTX *store, void *judge);
/* Is it one whom the check asks for, by its trust domain and list? */
bool peer_is_wanted(const struct peer_check *check, const char *peer_id);
/* The answer for a peer that has proved this identity: accepted, or why not. */
bool peer_accept(struct peer_check *check, const char *peer_id);
/* The slot of an SSL that holds its struct peer_check; negative when out of memory. */
int peer_slot(void);

#endif
