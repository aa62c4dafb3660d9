/* See tickets.h. */
#include "tls/tickets.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include "base/banned.h"
#include "tls/hkdf.h"
#include "tls/suite.h"

/* A number of n bytes, the highest first. False: it ends before that. */
static bool take_number(struct iov *at, size_t n, uint32_t *number)
{
    uint8_t bytes[4];
    if (iov_take(at, bytes, n) != n)
        return false;
    *number = 0;
    for (size_t i = 0; i < n; i++)
        *number = *number << 8 | bytes[i];
    return true;
}

struct message {
    uint32_t lifetime, age_add, nonce_length, ticket_length;
    uint8_t nonce[255];
    struct iov ticket;
};

/* The extensions say only how much early data there may be, which we do not send. */
static bool read_message(struct message *m, struct iov at)
{
    uint32_t extensions;
    if (!take_number(&at, 4, &m->lifetime) || !take_number(&at, 4, &m->age_add) ||
        !take_number(&at, 1, &m->nonce_length) ||
        iov_take(&at, m->nonce, m->nonce_length) != m->nonce_length ||
        !take_number(&at, 2, &m->ticket_length) || at.left < m->ticket_length)
        return false;
    m->ticket = at;
    iov_advance(&at, m->ticket_length);
    return take_number(&at, 2, &extensions) && at.left == extensions;
}

static bool is_usable(const struct message *m)
{
    return m->lifetime && m->lifetime <= SESSION_TICKET_SECONDS && m->ticket_length &&
           m->ticket_length <= SESSION_TICKET;
}

/* No longer than the ticket lives, than the hour of the proof, and than its certificates. */
static bool make(const struct tickets *t, const struct message *m, int64_t now, struct session *made)
{
    size_t length;
    made->suite = t->suite < AEAD_SUITES ? t->suite : AEAD_AES_128_GCM;
    made->until = now + m->lifetime < t->until ? now + m->lifetime : t->until;
    made->proven_until = t->proven_until;
    made->ticket_length = (uint16_t)m->ticket_length;
    made->age_add = m->age_add;
    made->lifetime = m->lifetime;
    made->given = now;
    length = suite_secret_length((enum aead_suite)made->suite);
    return hkdf_expand_label((enum hkdf_hash)length, t->secret, (struct hkdf_bytes){ "resumption", 10 },
                             (struct hkdf_bytes){ m->nonce, m->nonce_length }, made->secret, length);
}

unsigned tickets_keep(struct tickets *t, const char *peer, struct iov content, int64_t now)
{
    struct session_place place = { .side = SESSION_FOREIGN };
    struct session made = { .suite = 0 };
    struct message message;
    if (!t->wanted || !read_message(&message, content) || !is_usable(&message))
        return t->wanted;
    memcpy(place.key, t->place, sizeof place.key);
    memcpy(place.mark, t->mark, sizeof place.mark);
    snprintf(made.peer, sizeof made.peer, "%.255s", peer);
    if (make(t, &message, now, &made))
        sessions_put_ticket(&place, &made, message.ticket, now);
    OPENSSL_cleanse(&made, sizeof made);
    if (--t->wanted == 0)
        tickets_wipe(t);
    return t->wanted;
}

void tickets_wipe(struct tickets *t)
{
    OPENSSL_cleanse(t, sizeof *t);
}
