/* What goes wrong after it: records that no honest peer would send, and ends that are not one. */
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

void case_flipped_bit(struct peer *peer)
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

void case_truncated_mid_record(struct peer *peer)
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

void case_truncated_at_record(struct peer *peer)
{
    if (!established(peer))
        return;
    shutdown(peer->fd, SHUT_WR);
    raw_drain(peer, PATIENCE);
}

void case_reset_after_handshake(struct peer *peer)
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

void case_oversize_record(struct peer *peer)
{
    raw_header(peer, 23, 16384 + 257);
}

void case_undersize_record(struct peer *peer)
{
    raw_header(peer, 23, 10);
}

void case_unknown_record_type(struct peer *peer)
{
    raw_header(peer, 99, 40);
}

void case_change_cipher_spec_later(struct peer *peer)
{
    raw_header(peer, 20, 1);
}

void case_plaintext_alert(struct peer *peer)
{
    static const uint8_t alert[7] = { 21, 3, 3, 0, 2, 2, 80 };
    if (!established(peer))
        return;
    raw_send(peer, alert, sizeof alert);
    raw_drain(peer, PATIENCE);
}

/* Plain text in the middle of an encrypted connection. */
void case_plaintext_later(struct peer *peer)
{
    if (!established(peer))
        return;
    raw_send(peer, "GET / HTTP/1.1\r\n\r\n", 18);
    raw_drain(peer, PATIENCE);
}

static void forged(struct peer *peer, uint8_t type, const void *data, size_t n, size_t padding)
{
    if (!forging(peer))
        return;
    forge(peer, type, data, n, padding);
    raw_drain(peer, PATIENCE);
}

void case_oversize_plaintext(struct peer *peer)
{
    static uint8_t data[16385];
    forged(peer, 23, data, sizeof data, 0);
}

void case_no_inner_type(struct peer *peer)
{
    static uint8_t zeros[64];
    forged(peer, 0, zeros, sizeof zeros, 0);
}

void case_unknown_inner_type(struct peer *peer)
{
    forged(peer, 99, "what", 4, 0);
}

void case_fatal_alert(struct peer *peer)
{
    forged(peer, 21, "\2\120", 2, 0); /* internal_error */
}

void case_bad_key_update(struct peer *peer)
{
    forged(peer, 22, "\30\0\0\1\7", 5, 0); /* neither requested nor not */
}

void case_unexpected_handshake_message(struct peer *peer)
{
    forged(peer, 22, "\1\0\0\4abcd", 8, 0); /* another ClientHello */
}

void case_empty_handshake_record(struct peer *peer)
{
    forged(peer, 22, "", 0, 0);
}

void case_post_handshake_certificate_request(struct peer *peer)
{
    forged(peer, 22, "\15\0\0\3\0\0\0", 7, 0); /* CertificateRequest, that nobody offered to answer */
}
