/* See openssl.h. */
#include "tls/openssl.h"

#include <pthread.h>

#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include "base/banned.h"

enum {
    PRIVATE_ROOM = 32 * 1024,
    PRIVATE_LEAST = 32
}; /* for the numbers of private keys: a few, and those of a reload */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool started;

/*
 * NO_ATEXIT: programs talk in their own exit handlers, after OpenSSL's would have torn everything down.
 * NO_LOAD_CONFIG: the host's openssl.cnf is meant for the host's OpenSSL (engines, FIPS, policy), not for
 * ours.
 */
static void start(void)
{
    /* Private keys as OpenSSL holds them: locked, wiped, not in core files. Where it is full or cannot be had they lie in its heap. */
    CRYPTO_secure_malloc_init(PRIVATE_ROOM, PRIVATE_LEAST);
    started = OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1;
}

bool openssl_start(void)
{
    pthread_once(&once, start);
    return started;
}
