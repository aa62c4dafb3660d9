/* Certificates, good and bad. */
#ifndef BAD_IDENTITY_H
#define BAD_IDENTITY_H

#include <openssl/evp.h>
#include <openssl/x509.h>

enum { HOUR = 3600, DAY = 24 * HOUR };

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
    const struct authority *above; /* its certificate is sent, too; NULL: one that is trusted, or is to be */
};

/* What is NULL or 0 is as it should be. */
struct leaf {
    const char *name,
        *names;    /* its file; its subject alternative names, as OpenSSL's configuration writes them */
    long from, to; /* seconds from now */
    const char *basic, *usage, *purpose; /* "" for none */
    const char *unknown; /* the number of an extension that is critical and that nobody knows */
    const char *key;     /* a curve, or "RSA" and bits */
    const EVP_MD *(*digest)(void);
    const struct authority *issuer; /* NULL: itself */
};

/* An authority below `above`, or, where that is NULL, a root. `basic`: its constraints; `permitted`: name constraints, or "". */
struct authority authority_new(const char *name, const struct authority *above, const char *basic,
                               const char *permitted, long to, EVP_PKEY *key);
void authority_free(struct authority *authority);
/* The one that make_identities wrote. 0: done. */
int authority_load(struct authority *authority, const char *directory, const char *name);
int make_leaf(const char *directory, const struct leaf *leaf);

#endif
