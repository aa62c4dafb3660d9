/* The cipher suites of TLS 1.3 that we speak, as OpenSSL knows them and as the record layer does. */
#ifndef MESHSHIM_SUITE_H
#define MESHSHIM_SUITE_H

#include <openssl/ssl.h>

#include "tls/aead.h"

/* The one that a handshake has agreed on. False: none of ours. */
bool suite_of(const SSL *ssl, enum aead_suite *suite);
/* NULL where OpenSSL does not have it. */
const SSL_CIPHER *suite_cipher(SSL *ssl, enum aead_suite suite);
/* Of its hash, and so of each of its secrets: 32, or 48. */
size_t suite_secret_length(enum aead_suite suite);

#endif
