/* The cases: each is what one peer does on one connection. */
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

#define SECRET "top-secret-of-the-peer"

enum { MOMENT = 3, PATIENCE = 15000, FLIGHT = 16384 };

static void pause_ms(int ms)
{
    poll(NULL, 0, ms);
}

static bool start(struct peer *peer)
{
    return peer_start(peer, peer->options->server ? "server" : "client", TLS1_3_VERSION) == 0;
}

/* An established connection over which a message went each way. */
static bool established(struct peer *peer)
{
    return start(peer) && peer_handshake(peer) && peer_exchange(peer, SECRET);
}

/* Our first flight: the client's hello; the server's answer to one. */
static size_t first_flight(struct peer *peer, uint8_t *data)
{
    if (!start(peer) || (peer->options->server && !raw_fill(peer, PATIENCE)))
        return 0;
    SSL_do_handshake(peer->ssl);
    return peer_output(peer, data, FLIGHT);
}

/* As server, waits for the hello; as client there is nothing to wait for. */
static void hear_hello(struct peer *peer)
{
    uint8_t data[4096];
    if (peer->options->server && recv(peer->fd, data, sizeof data, 0) <= 0)
        say("no hello came");
}

/* ---- before the handshake is done */

static void plaintext(struct peer *peer)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    hear_hello(peer);
    if (peer->options->server)
        raw_send(peer, answer, sizeof answer - 1);
    else
        raw_send(peer, request, sizeof request - 1);
    raw_drain(peer, PATIENCE);
}

static void silence(struct peer *peer)
{
    raw_drain(peer, PATIENCE);
}

static void half_hello_silence(struct peer *peer)
{
    uint8_t data[FLIGHT];
    size_t n = first_flight(peer, data);
    raw_send(peer, data, n > 100 ? 100 : n / 2);
    raw_drain(peer, PATIENCE);
}

static void half_hello_close(struct peer *peer)
{
    uint8_t data[FLIGHT];
    size_t n = first_flight(peer, data);
    raw_send(peer, data, n > 100 ? 100 : n / 2);
    shutdown(peer->fd, SHUT_WR);
    raw_drain(peer, PATIENCE);
}

static void garbage(struct peer *peer)
{
    uint8_t data[1000];
    uint32_t x = 12345;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
    data[0] = 0xd3;
    hear_hello(peer);
    raw_send(peer, data, sizeof data);
    raw_drain(peer, PATIENCE);
}

/* Looks like a handshake record for five bytes. */
static void garbage_in_record(struct peer *peer)
{
    uint8_t data[205] = { 22, 3, 3, 0, 200 };
    for (size_t i = 5; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37);
    hear_hello(peer);
    raw_send(peer, data, sizeof data);
    raw_drain(peer, PATIENCE);
}

static void oversize_hello(struct peer *peer)
{
    uint8_t data[5 + 100] = { 22, 3, 3, 0x7f, 0xff };
    hear_hello(peer);
    raw_send(peer, data, sizeof data);
    raw_drain(peer, PATIENCE);
}

static void alert_instead_of_hello(struct peer *peer)
{
    static const uint8_t alert[7] = { 21, 3, 3, 0, 2, 2, 40 };
    hear_hello(peer);
    raw_send(peer, alert, sizeof alert);
    raw_drain(peer, PATIENCE);
}

static void close_at_once(struct peer *peer)
{
    shutdown(peer->fd, SHUT_WR);
    raw_drain(peer, PATIENCE);
}

static void reset_in_handshake(struct peer *peer)
{
    uint8_t data[FLIGHT];
    size_t n = first_flight(peer, data);
    raw_send(peer, data, n / 2);
    raw_reset(peer);
}

static void handshake_only(struct peer *peer, const char *identity, int version)
{
    char byte;
    if (peer_start(peer, identity, version) || !peer_handshake(peer))
        return;
    /* In TLS 1.3 a client learns afterwards that it was refused. */
    SSL_write(peer->ssl, SECRET, (int)strlen(SECRET));
    peer_flush(peer);
    if (peer_read(peer, &byte, 1) == 1)
        say("the victim talked to us");
    else
        say("the victim refused us");
}

static void tls12(struct peer *peer)
{
    handshake_only(peer, peer->options->server ? "server" : "client", TLS1_2_VERSION);
}

static void no_certificate(struct peer *peer)
{
    handshake_only(peer, "", TLS1_3_VERSION);
}

/* The identity of that name: the case's own. */
static void self_signed(struct peer *peer)
{
    handshake_only(peer, "self_signed", TLS1_3_VERSION);
}

static void foreign_ca(struct peer *peer)
{
    handshake_only(peer, "foreign_ca", TLS1_3_VERSION);
}

static void expired(struct peer *peer)
{
    handshake_only(peer, "expired", TLS1_3_VERSION);
}

static void not_yet_valid(struct peer *peer)
{
    handshake_only(peer, "not_yet_valid", TLS1_3_VERSION);
}

static void wrong_name(struct peer *peer)
{
    handshake_only(peer, "wrong_name", TLS1_3_VERSION);
}

static void wrong_domain(struct peer *peer)
{
    handshake_only(peer, "wrong_domain", TLS1_3_VERSION);
}

static void no_spiffe_id(struct peer *peer)
{
    handshake_only(peer, "no_spiffe_id", TLS1_3_VERSION);
}

/* Sends what OpenSSL wrote a byte at a time. */
static bool drip(struct peer *peer, int pause)
{
    uint8_t data[FLIGHT];
    size_t n = peer_output(peer, data, sizeof data);
    for (size_t i = 0; i < n; i++) {
        if (!raw_send(peer, data + i, 1))
            return false;
        if (pause > 0)
            pause_ms(pause);
    }
    return true;
}

static bool drip_handshake(struct peer *peer, int pause)
{
    int on = 1, result;
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!start(peer))
        return false;
    while ((result = SSL_do_handshake(peer->ssl)) != 1)
        if (!drip(peer, pause) || !raw_fill(peer, PATIENCE))
            return false;
    return drip(peer, pause);
}

/* Too slow to be in time, never silent. */
static void slow_loris(struct peer *peer)
{
    if (drip_handshake(peer, 20))
        say("the victim was patient");
    else
        say("the victim gave up");
}

/* One connection for each byte of our side of the handshake, closed just before that byte. */
static void cut_at_every_byte(struct peer *peer)
{
    size_t total = SIZE_MAX, cut;
    for (cut = 0; cut < total; cut++) {
        uint8_t data[FLIGHT];
        size_t sent = 0, n = 0, part;
        bool whole = false;
        if (peer->fd < 0 && peer_connect(peer))
            return;
        if (!start(peer))
            return;
        while (sent < cut && !whole) {
            whole = SSL_do_handshake(peer->ssl) == 1;
            n = peer_output(peer, data, sizeof data);
            part = n < cut - sent ? n : cut - sent;
            raw_send(peer, data, part);
            sent += part;
            if (part < n || (!whole && !raw_fill(peer, PATIENCE)))
                break;
        }
        if (whole && sent < cut + n) /* the last flight is out: its length is known now */
            total = sent;
        peer_stop(peer);
    }
    say("cut at %zu places", cut);
}

/* ---- after it */

static void flipped_bit(struct peer *peer)
{
    uint8_t data[FLIGHT];
    size_t n;
    if (!established(peer))
        return;
    SSL_write(peer->ssl, SECRET, (int)strlen(SECRET));
    n = peer_output(peer, data, sizeof data);
    data[n - 20] ^= 0x10;
    raw_send(peer, data, n);
    raw_drain(peer, PATIENCE);
}

static void truncated_mid_record(struct peer *peer)
{
    uint8_t data[FLIGHT];
    size_t n;
    if (!established(peer))
        return;
    SSL_write(peer->ssl, SECRET, (int)strlen(SECRET));
    n = peer_output(peer, data, sizeof data);
    raw_send(peer, data, n - 7);
    shutdown(peer->fd, SHUT_WR);
    raw_drain(peer, PATIENCE);
}

static void truncated_at_record(struct peer *peer)
{
    if (!established(peer))
        return;
    shutdown(peer->fd, SHUT_WR);
    raw_drain(peer, PATIENCE);
}

static void reset_after_handshake(struct peer *peer)
{
    if (established(peer))
        raw_reset(peer);
}

static void raw_header(struct peer *peer, uint8_t type, uint16_t length)
{
    uint8_t header[5] = { type, 3, 3, (uint8_t)(length >> 8), (uint8_t)length };
    uint8_t body[64] = { 0 };
    if (!established(peer))
        return;
    raw_send(peer, header, sizeof header);
    raw_send(peer, body, length < sizeof body ? length : sizeof body);
    raw_drain(peer, PATIENCE);
}

static void oversize_record(struct peer *peer)
{
    raw_header(peer, 23, 16384 + 257);
}

static void undersize_record(struct peer *peer)
{
    raw_header(peer, 23, 10);
}

static void unknown_record_type(struct peer *peer)
{
    raw_header(peer, 99, 40);
}

static void change_cipher_spec_later(struct peer *peer)
{
    raw_header(peer, 20, 1);
}

static void plaintext_alert(struct peer *peer)
{
    static const uint8_t alert[7] = { 21, 3, 3, 0, 2, 2, 80 };
    if (!established(peer))
        return;
    raw_send(peer, alert, sizeof alert);
    raw_drain(peer, PATIENCE);
}

/* Plain text in the middle of an encrypted connection. */
static void plaintext_later(struct peer *peer)
{
    if (!established(peer))
        return;
    raw_send(peer, "GET / HTTP/1.1\r\n\r\n", 18);
    raw_drain(peer, PATIENCE);
}

static bool forging(struct peer *peer)
{
    if (!start(peer) || !peer_handshake(peer))
        return false;
    forge_start(peer);
    return true;
}

static void forged(struct peer *peer, uint8_t type, const void *data, size_t n, size_t padding)
{
    if (!forging(peer))
        return;
    forge(peer, type, data, n, padding);
    raw_drain(peer, PATIENCE);
}

static void oversize_plaintext(struct peer *peer)
{
    static uint8_t data[16385];
    forged(peer, 23, data, sizeof data, 0);
}

static void no_inner_type(struct peer *peer)
{
    static uint8_t zeros[64];
    forged(peer, 0, zeros, sizeof zeros, 0);
}

static void unknown_inner_type(struct peer *peer)
{
    forged(peer, 99, "what", 4, 0);
}

static void fatal_alert(struct peer *peer)
{
    forged(peer, 21, "\2\120", 2, 0); /* internal_error */
}

static void bad_key_update(struct peer *peer)
{
    forged(peer, 22, "\30\0\0\1\7", 5, 0); /* neither requested nor not */
}

static void unexpected_handshake_message(struct peer *peer)
{
    forged(peer, 22, "\1\0\0\4abcd", 8, 0); /* another ClientHello */
}

static void empty_handshake_record(struct peer *peer)
{
    forged(peer, 22, "", 0, 0);
}

static void no_renegotiated_certificate(struct peer *peer)
{
    forged(peer, 22, "\15\0\0\3\0\0\0", 7, 0); /* CertificateRequest, that nobody offered to answer */
}

/* ---- unusual, and quite correct: the victim must not notice */

static void talk(struct peer *peer, int times)
{
    for (int i = 0; i < times; i++)
        if (!peer_exchange(peer, SECRET))
            return;
    say("exchanged");
}

/* Says goodbye and waits for the victim's. */
static void goodbye(struct peer *peer)
{
    SSL_shutdown(peer->ssl);
    peer_flush(peer);
    shutdown(peer->fd, SHUT_WR);
    raw_drain(peer, PATIENCE);
}

static void honest(struct peer *peer)
{
    int exchanges = 0;
    if (!start(peer) || !peer_handshake(peer))
        return;
    if (!peer->options->until) {
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

static void dripped_handshake(struct peer *peer)
{
    if (!drip_handshake(peer, 0))
        return;
    talk(peer, 3);
    goodbye(peer);
}

/* The client's first data comes with its Finished, in one segment. */
static void data_with_finished(struct peer *peer)
{
    char answer[sizeof SECRET];
    int result;
    if (!start(peer))
        return;
    while ((result = SSL_do_handshake(peer->ssl)) != 1)
        if (!peer_flush(peer) || !raw_fill(peer, PATIENCE))
            return;
    if (peer_write(peer, SECRET, strlen(SECRET)) && peer_read(peer, answer, strlen(SECRET)) == (int)strlen(SECRET))
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

static void key_update_sent(struct peer *peer)
{
    key_update(peer, SSL_KEY_UPDATE_NOT_REQUESTED, 3);
}

static void key_update_requested(struct peer *peer)
{
    key_update(peer, SSL_KEY_UPDATE_REQUESTED, 3);
}

static void key_update_many(struct peer *peer)
{
    key_update(peer, SSL_KEY_UPDATE_REQUESTED, 200);
}

/* A server's tickets come right behind its Finished, and again in mid-stream. */
static void session_tickets(struct peer *peer)
{
    if (!start(peer))
        return;
    SSL_set_num_tickets(peer->ssl, 4);
    if (!peer_handshake(peer) || !peer_exchange(peer, SECRET))
        return;
    SSL_new_session_ticket(peer->ssl);
    talk(peer, 2);
    goodbye(peer);
}

static void one_byte_records(struct peer *peer)
{
    char data[256];
    size_t n = strlen(SECRET);
    if (!established(peer))
        return;
    if (peer->options->server && peer_read(peer, data, n) != (int)n)
        return;
    for (size_t i = 0; i < n; i++)
        if (!peer_write(peer, SECRET + i, 1))
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

static void padded_records(struct peer *peer)
{
    if (!start(peer))
        return;
    SSL_set_record_padding_callback(peer->ssl, pad);
    if (!peer_handshake(peer))
        return;
    talk(peer, 3);
    goodbye(peer);
}

/* Records of the very largest size, padded to it and not. */
static void largest_records(struct peer *peer)
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

/* Empty records are allowed; a flood of them must neither end the stream nor stall it. */
static void empty_records(struct peer *peer)
{
    char answer[64];
    if (peer->options->server || !forging(peer))
        return;
    for (int i = 0; i < 20000; i++)
        if (!forge(peer, 23, "", 0, 0))
            return;
    forge(peer, 23, SECRET, strlen(SECRET), 0);
    if (peer_read(peer, answer, strlen(SECRET)) == (int)strlen(SECRET))
        say("exchanged");
    forge(peer, 21, "\1\0", 2, 0);
    shutdown(peer->fd, SHUT_WR);
    raw_drain(peer, PATIENCE);
}

/* Half a record, silence, the rest: late, not wrong. */
static void stops_in_mid_record(struct peer *peer)
{
    uint8_t data[FLIGHT];
    char answer[64];
    size_t n;
    if (!established(peer))
        return;
    if (peer->options->server && peer_read(peer, answer, strlen(SECRET)) != (int)strlen(SECRET))
        return;
    SSL_write(peer->ssl, SECRET, (int)strlen(SECRET));
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
static void fragmented_hello(struct peer *peer)
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

const struct bad_case bad_cases[] = {
    { "plaintext", true, true, plaintext },
    { "silence", true, true, silence },
    { "half_hello_silence", true, true, half_hello_silence },
    { "half_hello_close", true, true, half_hello_close },
    { "garbage", true, true, garbage },
    { "garbage_in_record", true, true, garbage_in_record },
    { "oversize_hello", true, true, oversize_hello },
    { "alert_instead_of_hello", true, true, alert_instead_of_hello },
    { "close_at_once", true, true, close_at_once },
    { "reset_in_handshake", true, true, reset_in_handshake },
    { "slow_loris", true, true, slow_loris },
    { "cut_at_every_byte", true, false, cut_at_every_byte },
    { "tls12", true, true, tls12 },
    { "no_certificate", true, false, no_certificate },
    { "self_signed", true, true, self_signed },
    { "foreign_ca", true, true, foreign_ca },
    { "expired", true, true, expired },
    { "not_yet_valid", true, true, not_yet_valid },
    { "wrong_name", true, true, wrong_name },
    { "wrong_domain", true, true, wrong_domain },
    { "no_spiffe_id", true, true, no_spiffe_id },
    { "flipped_bit", true, true, flipped_bit },
    { "truncated_mid_record", true, true, truncated_mid_record },
    { "truncated_at_record", true, true, truncated_at_record },
    { "reset_after_handshake", true, true, reset_after_handshake },
    { "oversize_record", true, true, oversize_record },
    { "undersize_record", true, true, undersize_record },
    { "oversize_plaintext", true, true, oversize_plaintext },
    { "unknown_record_type", true, true, unknown_record_type },
    { "change_cipher_spec_later", true, true, change_cipher_spec_later },
    { "plaintext_alert", true, true, plaintext_alert },
    { "plaintext_later", true, true, plaintext_later },
    { "no_inner_type", true, true, no_inner_type },
    { "unknown_inner_type", true, true, unknown_inner_type },
    { "fatal_alert", true, true, fatal_alert },
    { "bad_key_update", true, true, bad_key_update },
    { "unexpected_handshake_message", true, true, unexpected_handshake_message },
    { "empty_handshake_record", true, true, empty_handshake_record },
    { "post_handshake_certificate_request", false, true, no_renegotiated_certificate },
    { "honest", true, true, honest },
    { "dripped_handshake", true, true, dripped_handshake },
    { "fragmented_hello", true, false, fragmented_hello },
    { "data_with_finished", true, false, data_with_finished },
    { "key_update_sent", true, true, key_update_sent },
    { "key_update_requested", true, true, key_update_requested },
    { "key_update_many", true, true, key_update_many },
    { "session_tickets", false, true, session_tickets },
    { "one_byte_records", true, true, one_byte_records },
    { "padded_records", true, true, padded_records },
    { "largest_records", true, false, largest_records },
    { "empty_records", true, false, empty_records },
    { "stops_in_mid_record", true, true, stops_in_mid_record },
};
const size_t bad_case_count = sizeof bad_cases / sizeof bad_cases[0];
