/*
 * Certificates that have verified, kept as OpenSSL has parsed them: to decode the public key in one is a quarter of a
 * handshake's cost. Asked by their bytes, so what is found is what parsing them again would give. Bounded; never waits for its lock.
 *
 * OpenSSL's own state machine asks here too, in place of d2i_X509, where it is linked in statically (Makefile: --wrap).
 */
#ifndef MESHSHIM_PARSED_H
#define MESHSHIM_PARSED_H

#include <openssl/x509.h>

/* Keeps a reference to it. Another one may be forgotten. */
void parsed_remember(X509 *certificate);
/* The certificate that these bytes are, with a reference that is the caller's; NULL: not known. */
X509 *parsed_find(const unsigned char *der, size_t length);

#endif
