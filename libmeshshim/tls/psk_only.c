/* See psk_only.h. */
#include "tls/psk_only.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/banned.h"
#include "tls/identity.h"

/* From 3.2 on these get something else than an SSL, and it may have been rewritten otherwise. */
#define IS_KNOWN (OPENSSL_VERSION_NUMBER >= 0x30000000L && OPENSSL_VERSION_NUMBER < 0x30200000L)

enum { NOT_WRITTEN, WRITTEN };                   /* OpenSSL's EXT_RETURN_FAIL and EXT_RETURN_SENT */
enum { PSK_KEX_MODES = 45, KEY_SHARE = 51 };     /* RFC 8446 §4.2 */
enum { X25519_ID = 29, RETRY_REQUEST = 0x0800 }; /* §4.2.7; SSL_EXT_TLS1_3_HELLO_RETRY_REQUEST */
enum { PSK_KE = 0 };                             /* §4.2.9 */

/* What OpenSSL writes messages with; larger than it is. */
typedef struct wpacket_st WPACKET;
union packet {
    uint64_t words[32];
    char bytes[256];
};

int WPACKET_init_null(WPACKET *packet, size_t length_bytes) __attribute__((weak));
void WPACKET_cleanup(WPACKET *packet) __attribute__((weak));
int WPACKET_put_bytes__(WPACKET *packet, uint64_t value, size_t size) __attribute__((weak));

typedef int writer(SSL *ssl, WPACKET *packet, unsigned context, X509 *certificate, size_t place);
writer __real_tls_construct_ctos_psk_kex_modes __attribute__((weak));
writer __real_tls_construct_ctos_key_share __attribute__((weak));
writer __wrap_tls_construct_ctos_psk_kex_modes;
writer __wrap_tls_construct_ctos_key_share;

/* What OpenSSL reads a message's part with. */
typedef struct {
    const unsigned char *at;
    size_t left;
} PACKET;
typedef int reader(SSL *ssl, PACKET *packet, unsigned context, X509 *certificate, size_t place);
reader __real_tls_parse_stoc_key_share __attribute__((weak));
reader __wrap_tls_parse_stoc_key_share;

/* How many hellos an SSL of ours has still to write without a share: what its slot points to. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic int slot = -1; /* looked at in every hello, of whoever has not begun, too */
static char first_hello, later_hello;

static void start(void)
{
    slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

bool psk_only_begin(SSL *ssl)
{
    pthread_once(&once, start);
    return SSL_set_ex_data(ssl, slot, &first_hello) == 1;
}

static bool put(WPACKET *packet, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (WPACKET_put_bytes__(packet, bytes[i], 1) != 1)
            return false;
    return true;
}

/* What it writes goes nowhere, but it knows what it has offered. */
static int write_nowhere(writer *real, SSL *ssl, unsigned context, X509 *certificate, size_t place)
{
    union packet nowhere;
    int result = NOT_WRITTEN;
    if (WPACKET_init_null((WPACKET *)(void *)&nowhere, 0) == 1) {
        result = real(ssl, (WPACKET *)(void *)&nowhere, context, certificate, place);
        WPACKET_cleanup((WPACKET *)(void *)&nowhere);
    }
    return result;
}

int __wrap_tls_construct_ctos_psk_kex_modes(SSL *ssl, WPACKET *packet, unsigned context, X509 *certificate,
                                            size_t place)
{
    static const uint8_t alone[] = { 0, PSK_KEX_MODES, 0, 2, 1, PSK_KE };
    int result;
    if (!IS_KNOWN || !SSL_get_ex_data(ssl, slot))
        return __real_tls_construct_ctos_psk_kex_modes(ssl, packet, context, certificate, place);
    result = write_nowhere(__real_tls_construct_ctos_psk_kex_modes, ssl, context, certificate, place);
    return result == WRITTEN && !put(packet, alone, sizeof alone) ? NOT_WRITTEN : result;
}

int __wrap_tls_construct_ctos_key_share(SSL *ssl, WPACKET *packet, unsigned context, X509 *certificate,
                                        size_t place)
{
    static const uint8_t none[] = { 0, KEY_SHARE, 0, 2, 0, 0 };
    if (!IS_KNOWN || SSL_get_ex_data(ssl, slot) != &first_hello)
        return __real_tls_construct_ctos_key_share(ssl, packet, context, certificate, place);
    return SSL_set_ex_data(ssl, slot, &later_hello) == 1 && put(packet, none, sizeof none) ? WRITTEN
                                                                                           : NOT_WRITTEN;
}

/*
 * A server that wants a share (HelloRetryRequest). OpenSSL does not take the request from a server to which it has not shown one, nor for the
 * group of the one that it has shown: so it gets to believe that it has, of another group.
 */
int __wrap_tls_parse_stoc_key_share(SSL *ssl, PACKET *packet, unsigned context, X509 *certificate,
                                    size_t place)
{
    bool asks = IS_KNOWN && (context & RETRY_REQUEST) && SSL_get_ex_data(ssl, slot) && packet->left >= 2;
    bool best = asks && packet->at[0] == 0 && packet->at[1] == X25519_ID;
    if (asks &&
        (SSL_set1_groups_list(ssl, best ? "P-256" : "X25519") != 1 ||
         write_nowhere(__real_tls_construct_ctos_key_share, ssl, context, certificate, place) != WRITTEN ||
         SSL_set1_groups_list(ssl, IDENTITY_GROUPS) != 1))
        return 0;
    return __real_tls_parse_stoc_key_share(ssl, packet, context, certificate, place);
}
