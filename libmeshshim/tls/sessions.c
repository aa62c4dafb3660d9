/* See sessions.h. */
#include "tls/sessions.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/banned.h"
#include "tls/sessions_file.h"

/*
 * A client has as many sessions to one place as it has had connections at a time, so its sets are wide; a server finds one by its
 * handle.
 */
enum {
    LAYOUT = 4,
    CLIENT_SETS = 8,
    CLIENT_WAYS = 64,
    SERVER_SETS = 128,
    SERVER_WAYS = 8,
    FOREIGN_SETS = 4,
    FOREIGN_WAYS = 32,
    CLIENT_ROOM = CLIENT_SETS * CLIENT_WAYS,
    SERVER_ROOM = SERVER_SETS * SERVER_WAYS,
    FOREIGN_ROOM = FOREIGN_SETS * FOREIGN_WAYS,
    WORDS = SESSION_KEY / 8
};

/* The state's lower bits; above them it counts, so that a place which has changed meanwhile is not taken for what was there before. */
enum { EMPTY, BUSY, FULL, STATES = 3, STEP = 4 };

/*
 * A session but for the end of a long name, which lies elsewhere: few names are long, and what nobody writes to costs no memory. That is a third
 * of a table.
 */
enum { HEAD = offsetof(struct session, peer) + 72, REST = sizeof(struct session) - HEAD };

struct entry {
    _Atomic uint64_t state;
    _Atomic uint64_t turn; /* the lowest of a set is the oldest */
    _Atomic int64_t until;
    _Atomic uint64_t key[WORDS], mark[WORDS];
    uint8_t session[HEAD];
};

struct table {
    _Atomic uint64_t turn;
    struct entry client[CLIENT_ROOM], server[SERVER_ROOM], foreign[FOREIGN_ROOM];
    uint8_t client_rest[CLIENT_ROOM][REST], server_rest[SERVER_ROOM][REST], foreign_rest[FOREIGN_ROOM][REST];
    uint8_t ticket[FOREIGN_ROOM][SESSION_TICKET]; /* of the entry of the same number in `foreign` */
};

struct set {
    struct entry *entry;
    unsigned count;
};

static _Atomic(struct table *) table;

void sessions_open(const char *runtime_dir, const char *owner)
{
    struct table *made;
    if (atomic_load_explicit(&table, memory_order_acquire))
        return;
    made = sessions_file_map(runtime_dir, owner, LAYOUT, sizeof *made);
    if (!made)
        made = sessions_private_map(sizeof *made);
    struct table *none = NULL;
    if (!atomic_compare_exchange_strong(&table, &none, made))
        sessions_unmap(made, sizeof *made); /* of two threads, another was quicker */
}

static struct set side_of(struct table *t, enum session_side side)
{
    const struct set sides[] = { [SESSION_CLIENT] = { t->client, CLIENT_ROOM },
                                 [SESSION_SERVER] = { t->server, SERVER_ROOM },
                                 [SESSION_FOREIGN] = { t->foreign, FOREIGN_ROOM } };
    return sides[side];
}

static struct set set_of(struct table *t, const struct session_place *place)
{
    static const unsigned ways[] = {
        [SESSION_CLIENT] = CLIENT_WAYS, [SESSION_SERVER] = SERVER_WAYS, [SESSION_FOREIGN] = FOREIGN_WAYS
    };
    struct set side = side_of(t, place->side);
    unsigned wide = ways[place->side];
    uint32_t number;
    memcpy(&number, place->key, sizeof number);
    return (struct set){ side.entry + number % (side.count / wide) * wide, wide };
}

/* Where an entry's ticket lies; NULL: it has none. */
static uint8_t *ticket_of(struct table *t, const struct entry *entry)
{
    bool foreign = entry >= t->foreign && entry < t->foreign + FOREIGN_ROOM;
    return foreign ? t->ticket[entry - t->foreign] : NULL;
}

static bool is_there(const struct table *t)
{
    return sessions_is_there((const char *)(t + 1) - 1);
}

/*
 * The table, if it is there: somebody may have cut the file short. Then one of this process alone takes its place; the old one stays mapped,
 * for other threads may be at it.
 */
static struct table *table_now(void)
{
    struct table *t = atomic_load_explicit(&table, memory_order_acquire), *own;
    if (!t || is_there(t))
        return t;
    own = sessions_private_map(sizeof *own);
    if (atomic_compare_exchange_strong(&table, &t, own))
        return own;
    sessions_unmap(own, sizeof *own);
    return t;
}

static bool same(const _Atomic uint64_t *words, const uint8_t *bytes)
{
    uint64_t different = 0, word;
    for (int i = 0; i < WORDS; i++) {
        memcpy(&word, bytes + i * 8, 8);
        different |= word ^ atomic_load_explicit(&words[i], memory_order_relaxed);
    }
    return different == 0;
}

static void set(_Atomic uint64_t *words, const uint8_t *bytes)
{
    uint64_t word;
    for (int i = 0; i < WORDS; i++) {
        memcpy(&word, bytes + i * 8, 8);
        atomic_store_explicit(&words[i], word, memory_order_relaxed);
    }
}

/* From the state that was seen: it is as it was, and this thread's until it lets go. */
static bool claim(struct entry *entry, uint64_t seen)
{
    return atomic_compare_exchange_strong_explicit(&entry->state, &seen,
                                                   (seen & ~(uint64_t)STATES) + STEP + BUSY,
                                                   memory_order_acquire, memory_order_relaxed);
}

static void let_go(struct entry *entry, uint64_t state)
{
    uint64_t now = atomic_load_explicit(&entry->state, memory_order_relaxed);
    atomic_store_explicit(&entry->state, (now & ~(uint64_t)STATES) + state, memory_order_release);
}

static uint64_t state_of(const struct entry *entry)
{
    return atomic_load_explicit(&entry->state, memory_order_acquire);
}

static bool is_over(const struct entry *entry, int64_t now)
{
    return atomic_load_explicit(&entry->until, memory_order_relaxed) <= now;
}

static void clear(struct entry *entry)
{
    OPENSSL_cleanse(entry->session, sizeof entry->session);
    let_go(entry, EMPTY);
}

static uint8_t *rest_of(struct table *t, const struct entry *entry)
{
    if (entry >= t->foreign)
        return t->foreign_rest[entry - t->foreign];
    return entry < t->server ? t->client_rest[entry - t->client] : t->server_rest[entry - t->server];
}

static bool is_short(const struct session *session)
{
    return memchr(session->peer, '\0', sizeof session->peer - REST) != NULL;
}

static void write_session(struct table *t, struct entry *entry, const struct session *session)
{
    memcpy(entry->session, session, HEAD);
    if (!is_short(session))
        memcpy(rest_of(t, entry), (const uint8_t *)session + HEAD, REST);
}

static void read_session(struct table *t, const struct entry *entry, struct session *session)
{
    memcpy(session, entry->session, HEAD);
    if (is_short(session))
        memset((uint8_t *)session + HEAD, 0, REST);
    else
        memcpy((uint8_t *)session + HEAD, rest_of(t, entry), REST);
}

/* Sessions that nobody comes for are wiped by whoever passes. */
static void sweep(struct set set_, int64_t now)
{
    for (unsigned i = 0; i < set_.count; i++) {
        uint64_t state = state_of(&set_.entry[i]);
        if ((state & STATES) == FULL && is_over(&set_.entry[i], now) && claim(&set_.entry[i], state))
            clear(&set_.entry[i]);
    }
}

/* An empty place, else the oldest; NULL where others were faster. */
static struct entry *place_in(struct set set_)
{
    struct entry *best = NULL;
    uint64_t best_state = 0;
    for (unsigned i = 0; i < set_.count; i++) {
        struct entry *entry = set_.entry + i;
        uint64_t state = state_of(entry);
        if ((state & STATES) == EMPTY && claim(entry, state))
            return entry;
        if ((state & STATES) == FULL && (!best || atomic_load(&entry->turn) < atomic_load(&best->turn))) {
            best = entry;
            best_state = state;
        }
    }
    return best && claim(best, best_state) ? best : NULL;
}

static void put_session(const struct session_place *place, const struct session *session, struct iov *ticket,
                        int64_t now)
{
    struct table *t = table_now();
    struct entry *entry;
    if (!t || session->until <= now)
        return;
    sweep(set_of(t, place), now);
    entry = place_in(set_of(t, place));
    if (!entry)
        return;
    write_session(t, entry, session);
    if (ticket)
        iov_take(ticket, ticket_of(t, entry), session->ticket_length);
    set(entry->key, place->key);
    set(entry->mark, place->mark);
    atomic_store_explicit(&entry->until, session->until, memory_order_relaxed);
    atomic_store_explicit(&entry->turn, atomic_fetch_add(&t->turn, 1), memory_order_relaxed);
    let_go(entry, FULL);
}

void sessions_put(const struct session_place *place, const struct session *session, int64_t now)
{
    put_session(place, session, NULL, now);
}

void sessions_put_ticket(const struct session_place *place, const struct session *session, struct iov ticket,
                         int64_t now)
{
    if (place->side == SESSION_FOREIGN && session->ticket_length <= SESSION_TICKET &&
        session->ticket_length <= ticket.left)
        put_session(place, session, &ticket, now);
}

static bool is_at(const struct entry *entry, uint64_t state, const struct session_place *place)
{
    return (state & STATES) == FULL && same(entry->key, place->key) && same(entry->mark, place->mark);
}

static struct entry *oldest_at(struct set set_, const struct session_place *place, uint64_t *seen)
{
    struct entry *best = NULL;
    for (unsigned i = 0; i < set_.count; i++) {
        struct entry *entry = set_.entry + i;
        uint64_t state = state_of(entry);
        if (is_at(entry, state, place) && (!best || atomic_load(&entry->turn) < atomic_load(&best->turn))) {
            best = entry;
            *seen = state;
        }
    }
    return best;
}

/* Any process of the same user can write here. */
static bool is_sound(const struct session *session, int64_t now)
{
    return session->suite < AEAD_SUITES && session->until > now && session->until <= now + SESSION_SECONDS &&
           session->proven_until >= session->until && memchr(session->peer, '\0', sizeof session->peer) &&
           session->peer[0];
}

static bool has_sound_ticket(const struct session *session, int64_t now)
{
    return session->ticket_length && session->ticket_length <= SESSION_TICKET &&
           session->lifetime <= SESSION_TICKET_SECONDS && session->given <= now &&
           session->given > now - session->lifetime;
}

/* `ticket`: where it goes, of a foreign one; NULL: it is none. */
static bool take_session(const struct session_place *place, struct session *session, uint8_t *ticket,
                         int64_t now)
{
    struct table *t = table_now();
    struct entry *entry;
    uint64_t seen;
    if (!t)
        return false;
    sweep(set_of(t, place), now);
    /* Others may be quicker, or write rubbish as fast as it is cleared: so often, and no more. */
    for (int i = 0; i < CLIENT_WAYS && (entry = oldest_at(set_of(t, place), place, &seen)); i++) {
        bool sound;
        if (!claim(entry, seen))
            continue;
        read_session(t, entry, session);
        sound = is_sound(session, now) && (ticket ? has_sound_ticket(session, now) : !session->ticket_length);
        if (sound && ticket)
            memcpy(ticket, ticket_of(t, entry), session->ticket_length);
        clear(entry);
        if (sound)
            return true;
        OPENSSL_cleanse(session, sizeof *session);
    }
    return false;
}

bool sessions_take(const struct session_place *place, struct session *session, int64_t now)
{
    return take_session(place, session, NULL, now);
}

bool sessions_take_ticket(const struct session_place *place, struct session *session,
                          uint8_t ticket[SESSION_TICKET], int64_t now)
{
    return place->side == SESSION_FOREIGN && take_session(place, session, ticket, now);
}

unsigned sessions_room(enum session_side side)
{
    static const unsigned rooms[] = {
        [SESSION_CLIENT] = CLIENT_ROOM, [SESSION_SERVER] = SERVER_ROOM, [SESSION_FOREIGN] = FOREIGN_ROOM
    };
    return rooms[side];
}

unsigned sessions_count(enum session_side side, int64_t now)
{
    struct table *t = atomic_load_explicit(&table, memory_order_acquire);
    struct set all = t ? side_of(t, side) : (struct set){ NULL, 0 };
    unsigned count = 0;
    if (!t || !is_there(t))
        return 0;
    for (unsigned i = 0; i < all.count; i++)
        count += (state_of(&all.entry[i]) & STATES) == FULL && !is_over(&all.entry[i], now);
    return count;
}
