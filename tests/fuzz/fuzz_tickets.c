/*
 * What a server of another kind says after the handshake to be resumed with: whatever it is, and however the program's buffers cut it, what is
 * kept of it is sound, comes once, and OpenSSL can offer it.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "input.h"
#include "tls/suite.h"
#include "tls/ticket_session.h"
#include "tls/tickets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { NOW = 1000000, HEADS = 64 };

static SSL *ssl;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    sessions_open("/nowhere", "spiffe://mesh.local/ns/default/sa/fuzz");
    ssl = SSL_new(SSL_CTX_new(TLS_method()));
    must(ssl != NULL);
    return 0;
}

static SSL_SESSION *like_of(const struct session *from)
{
    SSL_SESSION *like = SSL_SESSION_new();
    must(SSL_SESSION_set1_master_key(like, from->secret, suite_secret_length((enum aead_suite)from->suite)) &&
         SSL_SESSION_set_cipher(like, suite_cipher(ssl, (enum aead_suite)from->suite)) &&
         SSL_SESSION_set_protocol_version(like, TLS1_3_VERSION));
    return like;
}

static void offer(const struct session *kept, const uint8_t *ticket)
{
    SSL_SESSION *like = like_of(kept), *session = ticket_session(like, kept, ticket);
    const unsigned char *held;
    size_t length;
    must(session && SSL_SESSION_is_resumable(session) &&
         SSL_SESSION_get_ticket_lifetime_hint(session) == kept->lifetime);
    SSL_SESSION_get0_ticket(session, &held, &length);
    must(length == kept->ticket_length && memcmp(held, ticket, length) == 0);
    SSL_SESSION_free(session);
    SSL_SESSION_free(like);
    must(ERR_peek_error() == 0);
}

/* A head as servers write it, so that most inputs come further than its lengths; then whatever there is. */
static size_t head_of(struct input *in, uint8_t *out, size_t left)
{
    uint8_t nonce = input_u8(in) % 40;
    uint16_t ticket = (uint16_t)(left > (size_t)nonce + 13 ? left - nonce - 13 : 0);
    size_t n = 0;
    memset(out, 0, HEADS);
    out[2] = input_u8(in);
    out[3] = input_u8(in);
    out[8] = nonce;
    n = (size_t)9 + nonce;
    out[n++] = (uint8_t)(ticket >> 8);
    out[n++] = (uint8_t)ticket;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    struct tickets t = { .until = NOW + 3600, .proven_until = NOW + 3600, .wanted = TICKETS_MOST };
    struct session_place place = { .side = SESSION_FOREIGN };
    struct session kept;
    uint8_t how = input_u8(&in), head[HEADS], *ticket = malloc(SESSION_TICKET), *rest;
    size_t n = how & 1 ? head_of(&in, head, in.left) : input_bytes(&in, head, HEADS / 2), got = 0;
    struct iovec spans[3] = { { head, n } };

    t.suite = how / 2 % (AEAD_SUITES + 1);
    rest = malloc(in.left + 1);
    spans[1] = (struct iovec){ rest, input_u16(&in) % (in.left + 1) };
    spans[2] = (struct iovec){ rest + spans[1].iov_len, in.left - spans[1].iov_len };
    memcpy(rest, in.at, in.left);
    tickets_keep(&t, "spiffe://mesh.local/ns/default/sa/peer", iov_of(spans, 3), NOW);
    while (sessions_take_ticket(&place, &kept, ticket, NOW)) {
        must(kept.until <= NOW + 3600 && kept.lifetime > 0 && kept.suite < AEAD_SUITES);
        offer(&kept, ticket);
        got++;
    }
    must(got == (size_t)(TICKETS_MOST - t.wanted));
    free(rest);
    free(ticket);
    return 0;
}
