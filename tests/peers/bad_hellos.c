/* Hellos with one thing wrong: an `edit` each, and what two hellos can do together. */
#include <string.h>
#include <sys/socket.h>

#include "bad_cases.h"
#include "bad_hello.h"

#include "base/banned.h"

enum {
    SUPPORTED_GROUPS = 10,
    SIGNATURE_ALGORITHMS = 13,
    ALPN = 16,
    PRE_SHARED_KEY = 41,
    SUPPORTED_VERSIONS = 43,
    COOKIE = 44,
    PSK_MODES = 45,
    KEY_SHARE = 51
};
#define CONTENT(h, type, text) hello_set(h, type, text, sizeof(text) - 1)
#define EXTRA(h, type, text)   hello_add(h, type, text, sizeof(text) - 1)

/* One identity "abcd", a binder of zeros. */
#define PSK         "\0\12\0\4abcd\0\0\0\0\0\41\40\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define X25519_ZERO "\0\35\0\40\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
/* RFC 8446 §4.1.3: the random that makes a ServerHello a HelloRetryRequest. */
static const uint8_t retry_random[32] = "\xCF\x21\xAD\x74\xE5\x9A\x61\x11\xBE\x1D\x8C\x02\x1E\x65\xB8\x91"
                                        "\xC2\xA2\x11\x16\x7A\xBB\x8C\x5E\x07\x9E\x09\xE2\xC8\xA8\x33\x9C";

/* ---- either side ---- */

static void edit_hello_twice_an_extension(struct hello *h)
{
    struct extension *e = hello_extension(h, SUPPORTED_VERSIONS);
    hello_add(h, e->type, e->data, e->length);
}

static void edit_hello_without_key_share(struct hello *h)
{
    hello_drop(h, KEY_SHARE);
}

static void edit_hello_without_versions(struct hello *h)
{
    hello_drop(h, SUPPORTED_VERSIONS);
}

static void edit_hello_of_tls14(struct hello *h)
{
    if (h->server)
        CONTENT(h, SUPPORTED_VERSIONS, "\3\5");
    else
        CONTENT(h, SUPPORTED_VERSIONS, "\2\3\5");
}

static void edit_hello_long_session(struct hello *h)
{
    memset(h->session, 's', h->session_length = 33);
}

static void edit_hello_compression(struct hello *h)
{
    h->compression[0] = 1;
    if (!h->server)
        h->compression[1] = 0, h->compression_length = 2;
}

static void edit_hello_zero_share(struct hello *h)
{
    if (h->server)
        CONTENT(h, KEY_SHARE, X25519_ZERO);
    else
        CONTENT(h, KEY_SHARE, "\0\44" X25519_ZERO);
}

static void edit_hello_short_share(struct hello *h)
{
    if (h->server)
        CONTENT(h, KEY_SHARE, "\0\35\0\4abcd");
    else
        CONTENT(h, KEY_SHARE, "\0\10\0\35\0\4abcd");
}

static void edit_hello_trailing(struct hello *h)
{
    h->trailing = 3;
}

static void edit_hello_overrun(struct hello *h)
{
    h->overrun = true;
}

static void edit_hello_claims_a_megabyte(struct hello *h)
{
    h->claimed = 1 << 20;
}

static void edit_hello_old_legacy_version(struct hello *h)
{
    h->version = 0x0300;
}

static void edit_hello_psk(struct hello *h)
{
    if (h->server) {
        EXTRA(h, PRE_SHARED_KEY, "\0\0"); /* the first of none */
    } else {                              /* without psk_key_exchange_modes */
        hello_drop(h, PSK_MODES);
        EXTRA(h, PRE_SHARED_KEY, PSK);
    }
}

/* ---- a client ---- */

static void edit_hello_no_compression(struct hello *h)
{
    h->compression_length = 0;
}

static void edit_hello_without_groups(struct hello *h)
{
    hello_drop(h, SUPPORTED_GROUPS);
}

static void edit_hello_without_signatures(struct hello *h)
{
    hello_drop(h, SIGNATURE_ALGORITHMS);
}

static void edit_hello_unknown_ciphers(struct hello *h)
{
    memcpy(h->ciphers, "\x13\x04\x13\x05\xc0\x2f", h->ciphers_length = 6);
}

static void edit_hello_unknown_group(struct hello *h)
{
    CONTENT(h, SUPPORTED_GROUPS, "\0\2\1\0"); /* ffdhe2048 */
    CONTENT(h, KEY_SHARE, "\0\10\1\0\0\4abcd");
}

static void edit_hello_share_of_no_group(struct hello *h)
{
    CONTENT(h, SUPPORTED_GROUPS, "\0\2\0\27"); /* P-256 is offered, X25519's share is sent */
}

static void edit_hello_odd_ciphers(struct hello *h)
{
    h->ciphers_length = 1;
}

static void edit_hello_empty_alpn(struct hello *h)
{
    EXTRA(h, ALPN, "\0\1\0");
}

static void edit_hello_psk_not_last(struct hello *h)
{
    EXTRA(h, PRE_SHARED_KEY, PSK);
    EXTRA(h, 0x3a3a, "");
}

static void edit_hello_rsa_only(struct hello *h)
{
    CONTENT(h, SIGNATURE_ALGORITHMS, "\0\2\4\1"); /* rsa_pkcs1_sha256 */
}

/* ---- a server ---- */

static void edit_hello_cipher_not_offered(struct hello *h)
{
    memcpy(h->ciphers, "\x13\x04", 2);
}

static void edit_hello_other_session(struct hello *h)
{
    if (h->session_length == 0)
        h->session_length = 32;
    h->session[0] ^= 1;
}

static void edit_hello_share_not_offered(struct hello *h)
{
    CONTENT(h, KEY_SHARE, "\0\27\0\4abcd"); /* P-256 */
}

static void edit_hello_unsolicited(struct hello *h)
{
    EXTRA(h, 0x3a3a, "");
}

/* As an attacker in between would: an older version, and the mark of RFC 8446 §4.1.3 in the random. */
static void edit_hello_downgrade(struct hello *h)
{
    hello_drop(h, SUPPORTED_VERSIONS);
    hello_drop(h, KEY_SHARE);
    memcpy(h->ciphers, "\xc0\x2f", 2);
    memcpy(h->random + 24, "DOWNGRD\1", 8);
}

static void as_retry(struct hello *h, const char *content, size_t n)
{
    memcpy(h->random, retry_random, sizeof h->random);
    hello_drop(h, KEY_SHARE);
    if (content)
        hello_add(h, KEY_SHARE, content, n);
}

static void edit_retry_changes_nothing(struct hello *h)
{
    as_retry(h, NULL, 0);
}

static void edit_retry_same_group(struct hello *h)
{
    as_retry(h, "\0\35", 2);
}

static void edit_retry_unknown_group(struct hello *h)
{
    as_retry(h, "\1\0", 2);
}

static void edit_retry_p256(struct hello *h)
{
    as_retry(h, "\0\27", 2);
}

/* ---- how they are sent ---- */

typedef void edit(struct hello *hello);

/* Our first flight, its hello edited. What a server sends behind it comes along. */
static size_t edited(struct peer *peer, edit *change, uint8_t *out)
{
    uint8_t data[FLIGHT];
    struct hello hello;
    size_t n = first_flight(peer, data), first = hello_read(&hello, data, n), length;
    if (!first) {
        say("no hello to edit");
        return 0;
    }
    if (change)
        change(&hello);
    length = hello_record(&hello, out);
    memcpy(out + length, data + first, n - first);
    return length + n - first;
}

static void wrong_hello(struct peer *peer, edit *change)
{
    uint8_t out[2 * FLIGHT];
    size_t n = edited(peer, change, out);
    raw_send(peer, out, n);
    raw_drain(peer, PATIENCE);
}

#define CASE(name, as_client, as_server)
#define HELLO(name, as_client, as_server)                                                                    \
    void case_##name(struct peer *peer)                                                                      \
    {                                                                                                        \
        wrong_hello(peer, edit_##name);                                                                      \
    }
#include "bad_cases.def"

static void edit_empty_share(struct hello *h)
{
    CONTENT(h, KEY_SHARE, "\0\0");
}

/* A client that answers HelloRetryRequest with the same hello; a server that asks for another retry. */
void case_retry_for_ever(struct peer *peer)
{
    uint8_t out[2 * FLIGHT];
    size_t n = edited(peer, peer->options->server ? edit_retry_p256 : edit_empty_share, out);
    if (peer->options->server)
        n = 5 + ((size_t)out[3] << 8 | out[4]); /* the hello alone */
    raw_send(peer, out, n);
    raw_hear(peer, PATIENCE);
    raw_send(peer, out, n);
    raw_drain(peer, PATIENCE);
}

/* Where the rest of the handshake should be, another hello. */
void case_hello_again(struct peer *peer)
{
    uint8_t out[2 * FLIGHT];
    size_t n = edited(peer, NULL, out), hello = 5 + ((size_t)out[3] << 8 | out[4]);
    raw_send(peer, out, hello);
    raw_send(peer, out, hello);
    raw_drain(peer, PATIENCE);
    (void)n;
}

static void behind_hello(struct peer *peer, const void *data, size_t length)
{
    uint8_t out[2 * FLIGHT];
    size_t n = edited(peer, NULL, out);
    if (n == 0)
        return;
    raw_send(peer, out, 5 + ((size_t)out[3] << 8 | out[4]));
    raw_send(peer, data, length);
    raw_drain(peer, PATIENCE);
}

/* Data in the clear, as if there were no keys. */
void case_data_behind_hello(struct peer *peer)
{
    behind_hello(peer, "\27\3\3\0\4data", 9);
}

void case_plain_message_behind_hello(struct peer *peer)
{
    behind_hello(peer, "\26\3\3\0\6\10\0\0\2\0\0", 11); /* EncryptedExtensions that are not */
}

void case_long_change_cipher_spec(struct peer *peer)
{
    behind_hello(peer, "\24\3\3\0\2\1\1", 7);
}

void case_wrong_change_cipher_spec(struct peer *peer)
{
    behind_hello(peer, "\24\3\3\0\1\2", 6);
}

void case_alert_of_one_byte(struct peer *peer)
{
    behind_hello(peer, "\25\3\3\0\1\2", 6);
}

void case_empty_plain_record(struct peer *peer)
{
    behind_hello(peer, "\26\3\3\0\0", 5);
}

void case_heartbeat(struct peer *peer)
{
    behind_hello(peer, "\30\3\3\0\3\1\100\0", 8); /* wants 16 kB that it never sent */
}

/* Not even a hello: the record that only follows one. */
void case_change_cipher_spec_first(struct peer *peer)
{
    hear_hello(peer);
    raw_send(peer, "\24\3\3\0\1\1", 6);
    raw_drain(peer, PATIENCE);
}

/* SSL 2's hello had another frame. */
void case_sslv2_hello(struct peer *peer)
{
    hear_hello(peer);
    raw_send(peer,
             "\200\56\1\3\3\0\25\0\0\0\20\1\0\200\3\0\200\7\0\300\6\0\100\2\0\200\4\0\200"
             "abcdefghijklmnopqrs",
             48);
    raw_drain(peer, PATIENCE);
}

void case_zeros(struct peer *peer)
{
    static const uint8_t zeros[256];
    hear_hello(peer);
    raw_send(peer, zeros, sizeof zeros);
    raw_drain(peer, PATIENCE);
}

/* A hello, then nothing: the handshake has begun, and must still end. */
void case_silence_behind_hello(struct peer *peer)
{
    behind_hello(peer, NULL, 0);
}

void case_end_behind_hello(struct peer *peer)
{
    uint8_t out[2 * FLIGHT];
    if (edited(peer, NULL, out) == 0)
        return;
    raw_send(peer, out, 5 + ((size_t)out[3] << 8 | out[4]));
    shutdown(peer->fd, SHUT_WR);
    raw_drain(peer, PATIENCE);
}

void case_reset_behind_hello(struct peer *peer)
{
    uint8_t out[2 * FLIGHT];
    if (edited(peer, NULL, out) == 0)
        return;
    raw_send(peer, out, 5 + ((size_t)out[3] << 8 | out[4]));
    if (!peer->options->server)
        raw_hear(peer, PATIENCE);
    raw_reset(peer);
}
