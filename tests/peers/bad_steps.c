/* Steps that several cases share. */
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

void pause_ms(int ms)
{
    poll(NULL, 0, ms);
}

bool start_honest(struct peer *peer)
{
    return peer_start(peer, peer->options->server ? "server" : "client", TLS1_3_VERSION) == 0;
}

/* An established connection over which a message went each way. */
bool established(struct peer *peer)
{
    return start_honest(peer) && peer_handshake(peer) && peer_exchange(peer, SECRET);
}

/* Our first flight: the client's hello; the server's answer to one. */
size_t first_flight(struct peer *peer, uint8_t *data)
{
    if (!start_honest(peer) || (peer->options->server && !raw_fill(peer, PATIENCE)))
        return 0;
    SSL_do_handshake(peer->ssl);
    return peer_output(peer, data, FLIGHT);
}

/* As server, waits for the hello; as client there is nothing to wait for. */
void hear_hello(struct peer *peer)
{
    uint8_t data[4096];
    if (peer->options->server && recv(peer->fd, data, sizeof data, 0) <= 0)
        say("no hello came");
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

bool drip_handshake(struct peer *peer, int pause)
{
    int on = 1, result;
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!start_honest(peer))
        return false;
    while ((result = SSL_do_handshake(peer->ssl)) != 1)
        if (!drip(peer, pause) || !raw_fill(peer, PATIENCE))
            return false;
    return drip(peer, pause);
}

bool forging(struct peer *peer)
{
    if (!start_honest(peer) || !peer_handshake(peer))
        return false;
    forge_start(peer, TRAFFIC_SECRET);
    return true;
}

void talk(struct peer *peer, int times)
{
    if (peer->options->server)
        times = 1 << 30; /* until the victim ends */
    for (int i = 0; i < times; i++)
        if (!peer_exchange(peer, SECRET)) {
            if (!peer->options->server)
                return;
            break;
        }
    say("exchanged");
}

/* Says goodbye and waits for the victim's. */
void goodbye(struct peer *peer)
{
    SSL_shutdown(peer->ssl);
    peer_flush(peer);
    shutdown(peer->fd, SHUT_WR);
    raw_drain(peer, PATIENCE);
}

/* What is to be sent now: the client's own words; the server echoes words of the same length. */
bool words(struct peer *peer, char data[sizeof SECRET])
{
    memcpy(data, SECRET, sizeof SECRET);
    return !peer->options->server || peer_read(peer, data, strlen(SECRET)) == (int)strlen(SECRET);
}
