/* Certificates, keys and workloads for tests, made in memory. */
#ifndef MESHSHIM_TEST_CERTS_H
#define MESHSHIM_TEST_CERTS_H

#include <stdbool.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "policy/snapshot.h"

struct cert {
    X509 *x509;
    EVP_PKEY *key;
};

/* What differs from: an ECDSA P-256 leaf, valid from an hour ago until in a day, without names. */
struct cert_spec {
    const char *name;          /* the common name */
    const char *alt;           /* subjectAltName as openssl.cnf writes it, "URI:spiffe://…"; NULL: none */
    const struct cert *issuer; /* NULL: self-signed */
    long from, until;          /* seconds from now; 0: the defaults above */
    const char *usage;         /* extendedKeyUsage; NULL: none */
    bool ca;
    unsigned rsa_bits; /* 0: P-256 */
    bool by_name;      /* its issuer's name alone says who that is, and no key's identifier */
};

struct cert cert_make(const struct cert_spec *spec);
void cert_free(struct cert *cert);

/* PEM texts, malloc'ed. cert_chain_pem takes `count` certificates, leaf first. */
char *cert_chain_pem(const struct cert *const *certs, int count);
enum cert_key_form { KEY_PKCS8, KEY_TRADITIONAL, KEY_ENCRYPTED };
char *cert_key_pem(const struct cert *cert, enum cert_key_form form);

/* A workload "default/NAME" of trust domain mesh.local; takes the texts over (each may be NULL). */
struct workload *cert_workload(const char *name, char *certificate, char *key, char *bundle);
void cert_workload_free(struct workload *workload);

#endif
