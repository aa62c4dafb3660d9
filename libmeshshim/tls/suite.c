/* See suite.h. */
#include "tls/suite.h"

#include "base/banned.h"

static const uint16_t ids[AEAD_SUITES] = {
    [AEAD_AES_128_GCM] = 0x1301,
    [AEAD_AES_256_GCM] = 0x1302,
    [AEAD_CHACHA20_POLY1305] = 0x1303,
};

bool suite_of(const SSL *ssl, enum aead_suite *suite)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    for (int i = 0; cipher && i < AEAD_SUITES; i++) {
        if (SSL_CIPHER_get_protocol_id(cipher) == ids[i]) {
            *suite = (enum aead_suite)i;
            return true;
        }
    }
    return false;
}

const SSL_CIPHER *suite_cipher(SSL *ssl, enum aead_suite suite)
{
    const unsigned char id[2] = { (unsigned char)(ids[suite] >> 8), (unsigned char)ids[suite] };
    return SSL_CIPHER_find(ssl, id);
}

size_t suite_secret_length(enum aead_suite suite)
{
    return suite == AEAD_AES_256_GCM ? 48 : 32;
}
