/* What goes wrong before the handshake is done. */
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

void case_plaintext(struct peer *peer)
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

void case_silence(struct peer *peer)
{
    raw_drain(peer, PATIENCE);
}

void case_half_hello_silence(struct peer *peer)
{
    uint8_t data[FLIGHT];
    size_t n = first_flight(peer, data);
    raw_send(peer, data, n > 100 ? 100 : n / 2);
    raw_drain(peer, PATIENCE);
}

void case_half_hello_close(struct peer *peer)
{
    uint8_t data[FLIGHT];
    size_t n = first_flight(peer, data);
    raw_send(peer, data, n > 100 ? 100 : n / 2);
    shutdown(peer->fd, SHUT_WR);
    raw_drain(peer, PATIENCE);
}

void case_garbage(struct peer *peer)
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
void case_garbage_in_record(struct peer *peer)
{
    uint8_t data[205] = { 22, 3, 3, 0, 200 };
    for (size_t i = 5; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37);
    hear_hello(peer);
    raw_send(peer, data, sizeof data);
    raw_drain(peer, PATIENCE);
}

void case_oversize_hello(struct peer *peer)
{
    uint8_t data[5 + 100] = { 22, 3, 3, 0x7f, 0xff };
    hear_hello(peer);
    raw_send(peer, data, sizeof data);
    raw_drain(peer, PATIENCE);
}

void case_alert_instead_of_hello(struct peer *peer)
{
    static const uint8_t alert[7] = { 21, 3, 3, 0, 2, 2, 40 };
    hear_hello(peer);
    raw_send(peer, alert, sizeof alert);
    raw_drain(peer, PATIENCE);
}

void case_close_at_once(struct peer *peer)
{
    shutdown(peer->fd, SHUT_WR);
    raw_drain(peer, PATIENCE);
}

void case_reset_in_handshake(struct peer *peer)
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

void case_tls12(struct peer *peer)
{
    handshake_only(peer, peer->options->server ? "server" : "client", TLS1_2_VERSION);
}

void case_no_certificate(struct peer *peer)
{
    handshake_only(peer, "", TLS1_3_VERSION);
}

#define CASE(name, as_client, as_server)
#define IDENTITY(name, as_client, as_server)                                                                 \
    void case_##name(struct peer *peer)                                                                      \
    {                                                                                                        \
        handshake_only(peer, #name, TLS1_3_VERSION);                                                         \
    }
#include "bad_cases.def"

/* Too slow to be in time, never silent. */
void case_slow_loris(struct peer *peer)
{
    if (drip_handshake(peer, 20))
        say("the victim was patient");
    else
        say("the victim gave up");
}

/* One connection for each byte of our side of the handshake, closed just before that byte. */
void case_cut_at_every_byte(struct peer *peer)
{
    size_t total = SIZE_MAX, cut;
    for (cut = 0; cut < total; cut++) {
        uint8_t data[FLIGHT];
        size_t sent = 0, n = 0, part = 0;
        bool whole = false;
        if (peer->fd < 0 && peer_connect(peer))
            return;
        if (!start_honest(peer))
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
        if (whole && part == n && sent < cut) /* all of it is out: its length is known now */
            total = sent;
        peer_stop(peer);
    }
    say("cut at %zu places", cut);
}
