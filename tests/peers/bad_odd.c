/* Unusual, and quite correct: the victim must not notice. */
#include "bad.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/banned.h"
#include "bad_cases.h"

void case_honest(struct peer *peer)
{
    int exchanges = 0;
    if (!start_honest(peer) || !peer_handshake(peer))
        return;
    if (peer->options->server) {
        while (peer_exchange(peer, NULL))
            exchanges++;
        say("exchanged %d", exchanges);
    } else if (!peer->options->until) {
        talk(peer, 3);
    } else {
        while (access(peer->options->until, F_OK) != 0) {
            if (!peer_exchange(peer, SECRET))
                return;
            exchanges++;
            pause_ms(MOMENT);
        }
        say("exchanged %d", exchanges);
    }
    goodbye(peer);
}

void case_dripped_handshake(struct peer *peer)
{
    if (!drip_handshake(peer, 0))
        return;
    talk(peer, 3);
    goodbye(peer);
}

/* The client's first data comes with its Finished, in one segment. */
void case_data_with_finished(struct peer *peer)
{
    char answer[sizeof SECRET];
    int result;
    if (!start_honest(peer))
        return;
    while ((result = SSL_do_handshake(peer->ssl)) != 1)
        if (!peer_flush(peer) || !raw_fill(peer, PATIENCE))
            return;
    if (peer_write(peer, SECRET, strlen(SECRET)) &&
        peer_read(peer, answer, strlen(SECRET)) == (int)strlen(SECRET))
        say("exchanged");
    goodbye(peer);
}

static void key_update(struct peer *peer, int kind, int times)
{
    if (!established(peer))
        return;
    for (int i = 0; i < times; i++) {
        SSL_key_update(peer->ssl, kind);
        if (!peer_exchange(peer, SECRET))
            return;
    }
    say("exchanged");
    goodbye(peer);
}

void case_key_update_sent(struct peer *peer)
{
    key_update(peer, SSL_KEY_UPDATE_NOT_REQUESTED, 3);
}

void case_key_update_requested(struct peer *peer)
{
    key_update(peer, SSL_KEY_UPDATE_REQUESTED, 3);
}

void case_key_update_many(struct peer *peer)
{
    key_update(peer, SSL_KEY_UPDATE_REQUESTED, 200);
}

/* A server's tickets come right behind its Finished, and again in mid-stream. */
void case_session_tickets(struct peer *peer)
{
    if (!start_honest(peer))
        return;
    SSL_set_num_tickets(peer->ssl, 4);
    if (!peer_handshake(peer) || !peer_exchange(peer, SECRET))
        return;
    SSL_new_session_ticket(peer->ssl);
    talk(peer, 2);
    goodbye(peer);
}

void case_one_byte_records(struct peer *peer)
{
    char data[sizeof SECRET];
    size_t n = strlen(SECRET);
    if (!established(peer) || !words(peer, data))
        return;
    for (size_t i = 0; i < n; i++)
        if (!peer_write(peer, data + i, 1))
            return;
    if (!peer->options->server && peer_read(peer, data, n) != (int)n)
        return;
    say("exchanged");
    goodbye(peer);
}

static size_t pad(SSL *ssl, int type, size_t n, void *argument)
{
    (void)ssl;
    (void)type;
    (void)argument;
    return n < 16000 ? 16000 - n : 0;
}

void case_padded_records(struct peer *peer)
{
    if (!start_honest(peer))
        return;
    SSL_set_record_padding_callback(peer->ssl, pad);
    if (!peer_handshake(peer))
        return;
    talk(peer, 3);
    goodbye(peer);
}

/* Records of the very largest size, padded to it and not. */
void case_largest_records(struct peer *peer)
{
    static char data[16384], answer[16384];
    if (peer->options->server || !forging(peer))
        return;
    memset(data, 'x', sizeof data);
    forge(peer, 23, data, sizeof data, 0);
    forge(peer, 23, data, 10, 16384 - 10);
    if (peer_read(peer, answer, sizeof answer) == sizeof answer && peer_read(peer, answer, 10) == 10)
        say("exchanged");
    forge(peer, 21, "\1\0", 2, 0);
    shutdown(peer->fd, SHUT_WR);
    raw_drain(peer, PATIENCE);
}

/* Empty records are allowed. */
static void empty_records(struct peer *peer, int many)
{
    char answer[64];
    if (peer->options->server || !forging(peer))
        return;
    for (int i = 0; i < many; i++)
        if (!forge(peer, 23, "", 0, 0))
            return;
    forge(peer, 23, SECRET, strlen(SECRET), 0);
    if (peer_read(peer, answer, strlen(SECRET)) == (int)strlen(SECRET))
        say("exchanged");
    forge(peer, 21, "\1\0", 2, 0);
    shutdown(peer->fd, SHUT_WR);
    raw_drain(peer, PATIENCE);
}

void case_some_empty_records(struct peer *peer)
{
    empty_records(peer, 20);
}

/* Nobody honest sends so many: taking them all and refusing them are both right, stalling is not. */
void case_empty_records_flood(struct peer *peer)
{
    empty_records(peer, 20000);
}

/* Half a record, silence, the rest: late, not wrong. */
void case_stops_in_mid_record(struct peer *peer)
{
    uint8_t data[FLIGHT];
    char answer[sizeof SECRET];
    size_t n;
    if (!established(peer) || !words(peer, answer))
        return;
    SSL_write(peer->ssl, answer, (int)strlen(SECRET));
    n = peer_output(peer, data, sizeof data);
    for (size_t i = 0; i < n; i++) {
        raw_send(peer, data + i, 1);
        if (i % 8 == 3)
            pause_ms(MOMENT);
    }
    if (!peer->options->server && peer_read(peer, answer, strlen(SECRET)) != (int)strlen(SECRET))
        return;
    say("exchanged");
    goodbye(peer);
}

/* A hello cut by the kernel into single bytes and by us into many records. */
void case_fragmented_hello(struct peer *peer)
{
    uint8_t data[FLIGHT];
    size_t n = first_flight(peer, data);
    for (size_t at = 5; at < n; at += 30) {
        size_t part = n - at < 30 ? n - at : 30;
        uint8_t header[5] = { 22, 3, 1, 0, (uint8_t)part };
        raw_send(peer, header, sizeof header);
        raw_send(peer, data + at, part);
    }
    if (!raw_fill(peer, PATIENCE) || !peer_handshake(peer))
        return;
    talk(peer, 2);
    goodbye(peer);
}

/* ---- identities that are good, if not like ours ---- */

static void good_identity(struct peer *peer, const char *identity)
{
    if (peer_start(peer, identity, TLS1_3_VERSION) || !peer_handshake(peer))
        return;
    talk(peer, 2);
    goodbye(peer);
}

void case_uri_and_dns(struct peer *peer)
{
    good_identity(peer, "uri_and_dns");
}

void case_intermediate(struct peer *peer)
{
    good_identity(peer, "intermediate");
}

void case_rsa_key(struct peer *peer)
{
    good_identity(peer, "rsa_key");
}

void case_p384_key(struct peer *peer)
{
    good_identity(peer, "p384_key");
}

/* ---- what a client may ask for ---- */

/* A session that the victim never gave: it is not known, and a full handshake follows. */
static int some_psk(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *length,
                    SSL_SESSION **session)
{
    static const unsigned char key[32] = { 1 };
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, (const unsigned char *)"\x13\x01");
    (void)md;
    *session = SSL_SESSION_new();
    SSL_SESSION_set1_master_key(*session, key, sizeof key);
    SSL_SESSION_set_cipher(*session, cipher);
    SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION);
    SSL_SESSION_set_max_early_data(*session, 1000);
    *id = (const unsigned char *)"somebody else's ticket";
    *length = 22;
    return 1;
}

void case_unknown_psk(struct peer *peer)
{
    if (!start_honest(peer))
        return;
    SSL_set_psk_use_session_callback(peer->ssl, some_psk);
    if (!peer_handshake(peer))
        return;
    talk(peer, 2);
    goodbye(peer);
}

/* Words before any proof: they must never be delivered. */
void case_early_data(struct peer *peer)
{
    size_t written;
    if (!start_honest(peer))
        return;
    SSL_set_psk_use_session_callback(peer->ssl, some_psk);
    if (SSL_write_early_data(peer->ssl, "early!", 6, &written) != 1)
        say("OpenSSL does not send early data");
    if (!peer_flush(peer) || !peer_handshake(peer))
        return;
    talk(peer, 2);
    goodbye(peer);
}

/* The first share is of a group that the victim does not know: HelloRetryRequest. */
void case_retry_asked_for(struct peer *peer)
{
    if (!start_honest(peer) || SSL_set1_groups_list(peer->ssl, "X448:P-256") != 1 || !peer_handshake(peer))
        return;
    talk(peer, 2);
    goodbye(peer);
}

void case_alpn_of_others(struct peer *peer)
{
    if (!start_honest(peer) || SSL_set_alpn_protos(peer->ssl, (const unsigned char *)"\2h2\4spdy", 8) != 0 ||
        !peer_handshake(peer))
        return;
    talk(peer, 2);
    goodbye(peer);
}

void case_chacha20(struct peer *peer)
{
    if (!start_honest(peer) || SSL_set_ciphersuites(peer->ssl, "TLS_CHACHA20_POLY1305_SHA256") != 1 ||
        !peer_handshake(peer))
        return;
    talk(peer, 2);
    goodbye(peer);
}

/* Nothing but a name: what is not said is not forbidden. */
void case_no_basics(struct peer *peer)
{
    good_identity(peer, "no_basics");
}
