/*
 * Certificates and keys out of PEM texts as people have them: text and comments before and between the
 * blocks, CRLF, other blocks beside the wanted ones. Never asks anybody for a pass phrase.
 */
#ifndef MESHSHIM_PEM_READER_H
#define MESHSHIM_PEM_READER_H

#include <openssl/x509.h>

/* All certificates in order; the caller frees. NULL: there is none, one is damaged (*damaged says its
 * number), or no memory. */
STACK_OF(X509) * pem_certificates(const char *text, size_t length, int *damaged);
/* The first private key (PKCS#8, EC, RSA); the caller frees. NULL, and *complaint to be put behind the file's
 * name. */
EVP_PKEY *pem_private_key(const char *text, size_t length, const char **complaint);

#endif
