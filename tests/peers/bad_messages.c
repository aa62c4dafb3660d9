/* After the handshake: messages and alerts that are wrong, too many, or in pieces. */
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "bad_cases.h"

#include "base/banned.h"

enum { ALERT = 21, HANDSHAKE = 22, DATA = 23, MANY = 2000 };

#define UPDATE       "\30\0\0\1\0"
#define UPDATE_ASKED "\30\0\0\1\1"

#define FORGE(peer, type, text) forge(peer, type, text, sizeof(text) - 1, 0)

void case_key_update_of_two_bytes(struct peer *peer)
{
    if (forging(peer))
        FORGE(peer, HANDSHAKE, "\30\0\0\2\0\0"), raw_drain(peer, PATIENCE);
}

void case_key_update_and_more(struct peer *peer)
{
    if (forging(peer))
        FORGE(peer, HANDSHAKE, UPDATE UPDATE), raw_drain(peer, PATIENCE);
}

void case_message_too_long(struct peer *peer)
{
    if (forging(peer))
        FORGE(peer, HANDSHAKE, "\4\377\377\377abcd"), raw_drain(peer, PATIENCE);
}

void case_hello_request_later(struct peer *peer)
{
    if (forging(peer))
        FORGE(peer, HANDSHAKE, "\0\0\0\0"), raw_drain(peer, PATIENCE);
}

void case_finished_again(struct peer *peer)
{
    if (forging(peer))
        FORGE(peer, HANDSHAKE, "\24\0\0\40abcdefghijklmnopqrstuvwxyz123456"), raw_drain(peer, PATIENCE);
}

/* Only servers give tickets. */
void case_ticket_of_a_client(struct peer *peer)
{
    if (forging(peer))
        FORGE(peer, HANDSHAKE, "\4\0\0\17\0\0\16\20\0\0\0\0\1n\0\1t\0\0"), raw_drain(peer, PATIENCE);
}

void case_data_in_a_later_message(struct peer *peer)
{
    if (!forging(peer))
        return;
    FORGE(peer, HANDSHAKE, "\30\0");
    FORGE(peer, DATA, SECRET);
    raw_drain(peer, PATIENCE);
}

/* Takes keys that nobody else has any more: forged from here on. */
static void rest_of_talk(struct peer *peer)
{
    char answer[sizeof SECRET];
    size_t n = strlen(SECRET);
    if (peer->options->server) { /* echoes what comes, until the victim's goodbye */
        while (peer_read(peer, answer, n) == (int)n)
            forge(peer, DATA, answer, n, 0);
        say("exchanged");
    } else {
        forge(peer, DATA, SECRET, n, 0);
        if (peer_read(peer, answer, n) == (int)n)
            say("exchanged");
    }
    FORGE(peer, ALERT, "\1\0");
    shutdown(peer->fd, SHUT_WR);
    raw_drain(peer, PATIENCE);
}

/* RFC 8446 §5.1 lets messages be cut anywhere. */
static void in_pieces(struct peer *peer, const char *message, size_t n)
{
    for (size_t i = 0; i < n; i++)
        forge(peer, HANDSHAKE, message + i, 1, 0);
}

void case_key_update_in_pieces(struct peer *peer)
{
    if (!forging(peer))
        return;
    in_pieces(peer, UPDATE_ASKED, 5);
    forge_update(peer);
    rest_of_talk(peer);
}

void case_ticket_in_pieces(struct peer *peer)
{
    static uint8_t ticket[40 + 1000] = "\4\0\4\14\0\0\16\20\0\0\0\0\1n\3\376";
    if (!forging(peer))
        return;
    for (size_t at = 0; at < sizeof ticket; at += 40)
        forge(peer, HANDSHAKE, ticket + at, 40, 0);
    rest_of_talk(peer);
}

/* What comes behind a long message in its record counts. */
void case_long_ticket_and_update(struct peer *peer)
{
    static uint8_t both[16 + 1000 + 4 + 5] = "\4\0\3\370\0\0\16\20\0\0\0\0\1n\3\350";
    memcpy(both + 4 + 1016, UPDATE, 5);
    if (!forging(peer))
        return;
    forge(peer, HANDSHAKE, both, 4 + 1016 + 5, 0);
    forge_update(peer);
    rest_of_talk(peer);
}

void case_key_update_flood(struct peer *peer)
{
    if (!forging(peer))
        return;
    for (int i = 0; i < MANY && FORGE(peer, HANDSHAKE, UPDATE_ASKED); i++)
        forge_update(peer);
    raw_drain(peer, PATIENCE);
}

void case_ticket_flood(struct peer *peer)
{
    if (!forging(peer))
        return;
    for (int i = 0; i < MANY && FORGE(peer, HANDSHAKE, "\4\0\0\17\0\0\16\20\0\0\0\0\1n\0\1t\0\0"); i++)
        ;
    raw_drain(peer, PATIENCE);
}

void case_warning_flood(struct peer *peer)
{
    if (!forging(peer))
        return;
    for (int i = 0; i < MANY && FORGE(peer, ALERT, "\1\132"); i++) /* user_canceled */
        ;
    raw_drain(peer, PATIENCE);
}

void case_user_canceled_and_on(struct peer *peer)
{
    if (!forging(peer))
        return;
    FORGE(peer, ALERT, "\1\132");
    rest_of_talk(peer);
}

static void alert(struct peer *peer, const char *text, size_t n)
{
    if (!forging(peer))
        return;
    forge(peer, ALERT, text, n, 0);
    FORGE(peer, DATA, SECRET);
    raw_drain(peer, PATIENCE);
}

void case_short_alert(struct peer *peer)
{
    alert(peer, "\2", 1);
}

void case_long_alert(struct peer *peer)
{
    alert(peer, "\2\50\0", 3);
}

void case_two_alerts(struct peer *peer)
{
    alert(peer, "\1\132\1\132", 4);
}

/* RFC 8446 §6: in TLS 1.3 all of these end it, whatever the level says. */
void case_warning_alert(struct peer *peer)
{
    alert(peer, "\1\50", 2);
}

void case_unknown_alert(struct peer *peer)
{
    alert(peer, "\1\377", 2);
}

void case_no_renegotiation_alert(struct peer *peer)
{
    alert(peer, "\1\144", 2);
}

void case_data_behind_fatal_alert(struct peer *peer)
{
    alert(peer, "\2\50", 2);
}

void case_data_behind_goodbye(struct peer *peer)
{
    alert(peer, "\1\0", 2);
}

void case_sealed_change_cipher_spec_later(struct peer *peer)
{
    if (forging(peer))
        FORGE(peer, 20, "\1"), raw_drain(peer, PATIENCE);
}

void case_empty_alert(struct peer *peer)
{
    if (forging(peer))
        FORGE(peer, ALERT, ""), raw_drain(peer, PATIENCE);
}

/* ---- one honest record, as somebody on the way would have it ---- */

static size_t one_record(struct peer *peer, uint8_t data[FLIGHT])
{
    char text[sizeof SECRET];
    if (!established(peer) || !words(peer, text))
        return 0;
    SSL_write(peer->ssl, text, (int)strlen(text));
    return peer_output(peer, data, FLIGHT);
}

void case_replayed_record(struct peer *peer)
{
    uint8_t data[FLIGHT];
    size_t n = one_record(peer, data);
    raw_send(peer, data, n);
    raw_send(peer, data, n);
    raw_drain(peer, PATIENCE);
}

void case_reordered_records(struct peer *peer)
{
    uint8_t first[FLIGHT], second[FLIGHT];
    size_t n = one_record(peer, first), m;
    SSL_write(peer->ssl, SECRET, (int)strlen(SECRET));
    m = peer_output(peer, second, sizeof second);
    raw_send(peer, second, m);
    raw_send(peer, first, n);
    raw_drain(peer, PATIENCE);
}

void case_dropped_record(struct peer *peer)
{
    uint8_t data[FLIGHT];
    size_t n = one_record(peer, data);
    SSL_write(peer->ssl, SECRET, (int)strlen(SECRET));
    n = peer_output(peer, data, sizeof data);
    raw_send(peer, data, n);
    raw_drain(peer, PATIENCE);
}

/* The victim's own records, sent back to it. */
void case_reflected_record(struct peer *peer)
{
    char text[sizeof SECRET];
    size_t n = strlen(SECRET);
    if (!forging(peer))
        return;
    if (!peer->options->server)
        forge(peer, DATA, SECRET, n, 0);
    if (peer_read(peer, text, n) != (int)n)
        return;
    raw_send(peer, peer->last + LAST - (5 + n + 1 + 16), 5 + n + 1 + 16);
    raw_drain(peer, PATIENCE);
}

void case_altered_tag(struct peer *peer)
{
    uint8_t data[FLIGHT];
    size_t n = one_record(peer, data);
    data[n - 1] ^= 1;
    raw_send(peer, data, n);
    raw_drain(peer, PATIENCE);
}

/* The header is authenticated, too. */
void case_altered_header(struct peer *peer)
{
    uint8_t data[FLIGHT];
    size_t n = one_record(peer, data);
    data[2] = 1;
    raw_send(peer, data, n);
    raw_drain(peer, PATIENCE);
}

void case_reset_in_record(struct peer *peer)
{
    uint8_t data[FLIGHT];
    size_t n = one_record(peer, data);
    raw_send(peer, data, n - 5);
    raw_reset(peer);
}

void case_zeros_later(struct peer *peer)
{
    static const uint8_t zeros[256];
    if (!established(peer))
        return;
    raw_send(peer, zeros, sizeof zeros);
    raw_drain(peer, PATIENCE);
}

void case_hello_later(struct peer *peer)
{
    static const uint8_t hello[47] = { 22, 3, 1, 0, 42, 1, 0, 0, 38, 3, 3 };
    if (!established(peer))
        return;
    raw_send(peer, hello, sizeof hello);
    raw_drain(peer, PATIENCE);
}

/* The certificate ends while the connection is open: it goes on. */
void case_expires_meanwhile(struct peer *peer)
{
    time_t end;
    if (mint_short(peer->options->ca, 2, &end) || peer_start(peer, "short", TLS1_3_VERSION) ||
        !peer_handshake(peer))
        return;
    if (!peer_exchange(peer, SECRET))
        return;
    while (time(NULL) <= end)
        pause_ms(20);
    talk(peer, 2);
    goodbye(peer);
}
