/* The steps of making one X.509 certificate, over OpenSSL. Each returns false on failure, with OpenSSL's reason queued. */
#ifndef MESHCTL_MINT_H
#define MESHCTL_MINT_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* Seconds since the epoch. */
struct validity {
    int64_t not_before, not_after;
};

/* A version 3 certificate for `key`, with a random 128-bit serial number and those dates. */
X509 *mint_new(EVP_PKEY *key, struct validity validity);
/* Subject: O and CN; a text that X.509 has no room for (64 bytes) is left out. */
bool mint_subject(X509 *certificate, const char *organization, const char *common_name);
/* An extension in openssl.cnf's notation: (NID_key_usage, "critical,digitalSignature"). */
bool mint_extension(X509 *certificate, X509 *issuer, int nid, const char *value);
/* Key identifiers, then the signature. `issuer` is `certificate` itself for a root. */
bool mint_sign(X509 *certificate, X509 *issuer, EVP_PKEY *issuer_key);

bool mint_certificate_pem(X509 *certificate, struct buf *out);
bool mint_key_pem(EVP_PKEY *key, struct buf *out); /* PKCS#8, not encrypted */
/* Seconds since the epoch; INT64_MIN where the time cannot be read. */
int64_t mint_seconds(const ASN1_TIME *time);

#endif
