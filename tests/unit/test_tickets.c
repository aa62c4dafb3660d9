/* The tickets of servers of another kind: what is kept of them, for how long, and what is not. */
#include <stdlib.h>

#include "check.h"
#include "tls/tickets.h"

enum { NOW = 5000 };

/* RFC 8448, sections 3 and 4. */
static const uint8_t master[32] = { 0x7d, 0xf2, 0x35, 0xf2, 0x03, 0x1d, 0x2a, 0x05, 0x12, 0x87, 0xd0,
                                    0x2b, 0x02, 0x41, 0xb0, 0xbf, 0xda, 0xf8, 0x6c, 0xc8, 0x56, 0x23,
                                    0x1f, 0x2d, 0x5a, 0xba, 0x46, 0xc4, 0x34, 0xec, 0x19, 0x6c };
static const uint8_t psk[32] = { 0x4e, 0xcd, 0x0e, 0xb6, 0xec, 0x3b, 0x4d, 0x87, 0xf5, 0xd6, 0x02,
                                 0x8f, 0x92, 0x2c, 0xa4, 0xc5, 0x85, 0x1a, 0x27, 0x7f, 0xd4, 0x13,
                                 0x11, 0xc9, 0xe6, 0x2d, 0x2c, 0x94, 0x92, 0xe1, 0xc4, 0xf3 };

static const struct session_place here = { .side = SESSION_FOREIGN };

static struct tickets expecting(void)
{
    struct tickets t = { .until = NOW + 3600, .proven_until = NOW + 5000, .wanted = TICKETS_MOST };
    memcpy(t.secret, master, sizeof master);
    return t;
}

struct message {
    uint8_t bytes[8192];
    size_t length;
};

/* A ticket of so many bytes, with that section's nonce, and its extension. */
static struct message message_of(uint32_t lifetime, size_t ticket)
{
    struct message m = { .length = 0 };
    const uint8_t head[] = { (uint8_t)(lifetime >> 24),
                             (uint8_t)(lifetime >> 16),
                             (uint8_t)(lifetime >> 8),
                             (uint8_t)lifetime,
                             0xfa,
                             0xd6,
                             0xaa,
                             0xc5,
                             2,
                             0,
                             0,
                             (uint8_t)(ticket >> 8),
                             (uint8_t)ticket };
    static const uint8_t extensions[] = { 0, 8, 0, 0x2a, 0, 4, 0, 0, 4, 0 };
    memcpy(m.bytes, head, sizeof head);
    memset(m.bytes + sizeof head, 0x2c, ticket);
    memcpy(m.bytes + sizeof head + ticket, extensions, sizeof extensions);
    m.length = sizeof head + ticket + sizeof extensions;
    return m;
}

static void give(struct tickets *t, const struct message *m, size_t length)
{
    uint8_t *exact = malloc(length + 1);
    struct iovec spans[2] = { { exact, length / 3 }, { exact + length / 3, length - length / 3 } };
    memcpy(exact, m->bytes, length);
    tickets_keep(t, "spiffe://mesh.local/ns/a/sa/b", iov_of(spans, 2), NOW);
    free(exact);
}

static bool takes(struct session *session, int64_t now)
{
    static uint8_t ticket[SESSION_TICKET];
    return sessions_take_ticket(&here, session, ticket, now);
}

static void as_in_the_rfc(void)
{
    struct tickets t = expecting();
    struct message m = message_of(30, 178);
    struct session got;
    uint8_t ticket[SESSION_TICKET];
    give(&t, &m, m.length);
    CU_ASSERT_TRUE(sessions_take_ticket(&here, &got, ticket, NOW));
    CU_ASSERT_EQUAL(memcmp(got.secret, psk, sizeof psk), 0);
    CU_ASSERT_STRING_EQUAL(got.peer, "spiffe://mesh.local/ns/a/sa/b");
    CU_ASSERT_TRUE(got.lifetime == 30 && got.age_add == 0xfad6aac5 && got.given == NOW);
    CU_ASSERT_TRUE(got.until == NOW + 30 && got.proven_until == NOW + 5000);
    CU_ASSERT_TRUE(got.ticket_length == 178 && memcmp(ticket, m.bytes + 13, 178) == 0);
    CU_ASSERT_FALSE(takes(&got, NOW));
}

/* The ticket's own end, and the end of the hour that was proved, whichever comes first. */
static void in_time(void)
{
    struct tickets t = expecting();
    struct message brief = message_of(30, 100), lasting = message_of(7 * 24 * 3600, 100);
    struct session got;
    give(&t, &brief, brief.length);
    CU_ASSERT_FALSE(takes(&got, NOW + 30));
    give(&t, &lasting, lasting.length);
    CU_ASSERT_TRUE(takes(&got, NOW + 3599));
    CU_ASSERT_EQUAL(got.until, NOW + 3600);
    t = expecting();
    t.until = NOW; /* it comes when the hour is over */
    give(&t, &lasting, lasting.length);
    CU_ASSERT_FALSE(takes(&got, NOW));
}

static void two_of_a_connection(void)
{
    struct tickets t = expecting();
    static const struct tickets nothing;
    struct message m = message_of(30, 100);
    struct session got;
    for (int i = 0; i < 5; i++)
        give(&t, &m, m.length);
    CU_ASSERT_EQUAL(memcmp(&t, &nothing, sizeof t), 0);
    CU_ASSERT_TRUE(takes(&got, NOW));
    CU_ASSERT_TRUE(takes(&got, NOW));
    CU_ASSERT_FALSE(takes(&got, NOW));
}

static bool is_dropped(const struct message *m, size_t length)
{
    struct tickets t = expecting();
    struct session got;
    bool kept;
    give(&t, m, length);
    kept = takes(&got, NOW);
    CU_ASSERT_EQUAL(t.wanted, TICKETS_MOST - kept);
    return !kept;
}

static void what_cannot_be_used(void)
{
    struct message m = message_of(30, 100);
    for (size_t length = 0; length < m.length; length++)
        CU_ASSERT_TRUE(is_dropped(&m, length));
    CU_ASSERT_TRUE(is_dropped(&m, m.length + 1));
    CU_ASSERT_FALSE(is_dropped(&m, m.length));
    m = message_of(0, 100);
    CU_ASSERT_TRUE(is_dropped(&m, m.length));
    m = message_of(7 * 24 * 3600 + 1, 100);
    CU_ASSERT_TRUE(is_dropped(&m, m.length));
    m = message_of(30, 0);
    CU_ASSERT_TRUE(is_dropped(&m, m.length));
    m = message_of(30, SESSION_TICKET + 1);
    CU_ASSERT_TRUE(is_dropped(&m, m.length));
    m = message_of(30, SESSION_TICKET);
    CU_ASSERT_FALSE(is_dropped(&m, m.length));
}

/* Any process of the same user can write to the table. */
static void times_that_cannot_be(void)
{
    static uint8_t ticket[] = "ticket";
    const int64_t given[] = { NOW + 1, NOW - 30, 0, INT64_MIN, INT64_MAX };
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        struct session session = { .until = NOW + 10,
                                   .proven_until = NOW + 10,
                                   .peer = "spiffe://a/b",
                                   .lifetime = 30,
                                   .ticket_length = sizeof ticket,
                                   .given = given[i] };
        struct iovec span = { ticket, sizeof ticket };
        struct session got;
        sessions_put_ticket(&here, &session, iov_of(&span, 1), NOW);
        CU_ASSERT_FALSE(takes(&got, NOW));
    }
}

/* A secret that was taken from a ticket is not offered without it, nor the other way. */
static void each_of_its_kind(void)
{
    struct session session = { .until = NOW + 10, .proven_until = NOW + 10, .peer = "spiffe://a/b" }, got;
    struct session_place theirs = here;
    struct tickets t = expecting();
    struct message m = message_of(30, 100);
    sessions_put(&here, &session, NOW);
    CU_ASSERT_FALSE(takes(&got, NOW));
    give(&t, &m, m.length);
    CU_ASSERT_FALSE(sessions_take(&here, &got, NOW)); /* and it is gone */
    theirs.side = SESSION_CLIENT;
    give(&t, &m, m.length);
    CU_ASSERT_FALSE(sessions_take(&theirs, &got, NOW));
    theirs = here;
    theirs.mark[0] = 1;
    CU_ASSERT_FALSE(sessions_take(&theirs, &got, NOW));
    CU_ASSERT_TRUE(takes(&got, NOW));
}

static int begin(void)
{
    sessions_open("/nowhere/at/all", "spiffe://me");
    return 0;
}

int main(void)
{
    CU_TestInfo tests[] = {
        { "as in the RFC", as_in_the_rfc },
        { "in time", in_time },
        { "two of a connection", two_of_a_connection },
        { "what cannot be used", what_cannot_be_used },
        { "times that cannot be", times_that_cannot_be },
        { "each of its kind", each_of_its_kind },
        CU_TEST_INFO_NULL,
    };
    return check_suite("tickets", begin, NULL, tests) ? 1 : 0;
}
