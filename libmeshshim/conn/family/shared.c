/* See shared.h. */
#include "conn/family/shared.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include "base/banned.h"
#include "base/libc.h"
#include "conn/family/slots.h"
#include "tls/record.h"

/* ---- who has it open ---- */

static uint64_t *word_of(struct shared *shared, int slot)
{
    return &shared->holder[slot / 64];
}

static uint64_t bit_of(int slot)
{
    return (uint64_t)1 << (slot % 64);
}

static bool nobody(const struct shared *shared)
{
    for (int i = 0; i < FAMILY_SLOTS / 64; i++)
        if (shared->holder[i])
            return false;
    return !shared->crowded && shared->in_flight == 0;
}

static void drop_dead(struct shared *shared)
{
    for (int i = 0; i < FAMILY_SLOTS / 64; i++) {
        for (uint64_t left = shared->holder[i]; left; left &= left - 1) {
            int slot = i * 64 + __builtin_ctzll(left);
            if (!slots_lives(slot))
                shared->holder[i] &= ~bit_of(slot);
        }
    }
}

static bool join(struct shared *shared, bool in_flight, bool *had)
{
    int slot = slots_own();
    bool joined;
    if (lock_take(&shared->holders_lock) == LOCK_MINE)
        return false;
    joined = !shared->ended;
    *had = slot >= 0 && (*word_of(shared, slot) & bit_of(slot));
    if (joined && slot < 0)
        shared->crowded = true;
    else if (joined)
        *word_of(shared, slot) |= bit_of(slot);
    if (joined && in_flight && shared->in_flight)
        shared->in_flight--;
    lock_release(&shared->holders_lock);
    return joined;
}

bool shared_leave(struct shared *shared)
{
    int slot = slots_own();
    bool last;
    if (lock_take(&shared->holders_lock) == LOCK_MINE)
        return false;
    if (slot >= 0)
        *word_of(shared, slot) &= ~bit_of(slot);
    drop_dead(shared);
    last = !shared->ended && nobody(shared);
    shared->ended |= last;
    lock_release(&shared->holders_lock);
    return last;
}

void shared_send(struct shared *shared)
{
    if (lock_take(&shared->holders_lock) == LOCK_MINE)
        return;
    shared->in_flight++;
    lock_release(&shared->holders_lock);
}

void shared_unsend(struct shared *shared)
{
    if (lock_take(&shared->holders_lock) == LOCK_MINE)
        return;
    if (shared->in_flight)
        shared->in_flight--;
    lock_release(&shared->holders_lock);
}

bool shared_part(struct shared *shared)
{
    int slot = slots_own();
    bool only;
    if (slot < 0 || lock_take(&shared->holders_lock) == LOCK_MINE)
        return false;
    drop_dead(shared);
    *word_of(shared, slot) &= ~bit_of(slot);
    only = !shared->ended && nobody(shared);
    if (only)
        *word_of(shared, slot) |= bit_of(slot);
    lock_release(&shared->holders_lock);
    return only;
}

void shared_add(struct shared *shared, int slot)
{
    if (lock_take(&shared->holders_lock) == LOCK_MINE)
        return;
    if (shared->ended || shared->cookie == 0) /* another thread closes it, or has */
        ;
    else if (slot < 0)
        shared->crowded = true;
    else
        *word_of(shared, slot) |= bit_of(slot);
    lock_release(&shared->holders_lock);
}

bool shared_is_held_by_several(const struct shared *shared)
{
    int n = 0;
    for (int i = 0; i < FAMILY_SLOTS / 64; i++)
        n += __builtin_popcountll(shared->holder[i]);
    return n > 1;
}

bool shared_is_elsewhere(const struct shared *shared)
{
    return shared->crowded || shared->in_flight || shared_is_held_by_several(shared);
}

bool shared_is_held(const struct shared *shared, int slot)
{
    return slot >= 0 && (shared->holder[slot / 64] & bit_of(slot));
}

void shared_remove(struct shared *shared, int slot)
{
    if (slot < 0 || lock_take(&shared->holders_lock) == LOCK_MINE)
        return;
    *word_of(shared, slot) &= ~bit_of(slot);
    lock_release(&shared->holders_lock);
}

/* ---- by socket ---- */

/* The kernel's cookie, or, where it has none, the inode. */
static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    struct stat st;
    if (libc.getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0)
        return cookie;
    return fstat(fd, &st) == 0 ? (uint64_t)st.st_ino | (uint64_t)1 << 63 : 0;
}

static uint32_t bucket_of(uint64_t cookie)
{
    return (uint32_t)((cookie * 0x9e3779b97f4a7c15u) >> 32) % FAMILY_BUCKETS;
}

/* Guards the bucket's list; false in a signal handler that interrupted its owner. */
static bool open_bucket(uint32_t i)
{
    return lock_take(&family->bucket[i].lock) != LOCK_MINE;
}

static void close_bucket(uint32_t i)
{
    lock_release(&family->bucket[i].lock);
}

/* Longer is no list, but a ring. */
enum { BUCKET_MOST = 1 << 16 };

static struct shared *shared_at(const arena_ref *ref)
{
    return arena_at(ARENA_ONCE(*ref), sizeof(struct shared));
}

static struct shared *in_bucket(uint32_t i, uint64_t cookie)
{
    struct shared *shared = shared_at(&family->bucket[i].first);
    int n = 0;
    while (shared && shared->cookie != cookie)
        shared = n++ < BUCKET_MOST ? shared_at(&shared->next) : NULL;
    return shared;
}

_Static_assert(sizeof(struct shared) <= 1024,
               "the next size of a piece makes an idle connection larger by a quarter");

struct shared *shared_new(int fd)
{
    struct shared *shared = arena_alloc(sizeof *shared);
    uint32_t i;
    bool had;
    if (!shared)
        return NULL;
    shared->cookie = cookie_of(fd);
    i = bucket_of(shared->cookie);
    if (!join(shared, false, &had) || !open_bucket(i)) {
        arena_free(shared, sizeof *shared);
        return NULL;
    }
    shared->next = family->bucket[i].first;
    family->bucket[i].first = arena_ref_of(shared);
    close_bucket(i);
    return shared;
}

struct shared *shared_find(int fd, bool in_flight, bool *had)
{
    uint64_t cookie = cookie_of(fd);
    uint32_t i = bucket_of(cookie);
    struct shared *shared;
    *had = false;
    if (!family || !cookie || !open_bucket(i))
        return NULL;
    shared = in_bucket(i, cookie);
    if (shared && !join(shared, in_flight, had))
        shared = NULL;
    close_bucket(i);
    return shared;
}

bool shared_is_used(const struct shared *shared)
{
    return shared->inbound || shared->about.service[0] || atomic_load(&shared->established);
}

bool shared_exists(int fd)
{
    uint64_t cookie = cookie_of(fd);
    uint32_t i = bucket_of(cookie);
    const struct shared *shared;
    bool found;
    if (!family || !cookie || !open_bucket(i))
        return false;
    shared = in_bucket(i, cookie);
    found = shared && shared_is_used(shared);
    close_bucket(i);
    return found;
}

void shared_add_by_fd(int fd, int slot)
{
    uint64_t cookie = cookie_of(fd);
    uint32_t i = bucket_of(cookie);
    struct shared *shared;
    if (!family || !cookie || !open_bucket(i))
        return;
    shared = in_bucket(i, cookie);
    if (shared)
        shared_add(shared, slot);
    close_bucket(i);
}

/* Out of the list that begins at `*ref`. */
static void unlink_from(arena_ref *ref, const struct shared *shared)
{
    int n = 0;
    for (struct shared *at; n < BUCKET_MOST && (at = shared_at(ref)); ref = &at->next, n++) {
        if (at == shared) {
            *ref = shared->next;
            return;
        }
    }
}

static void release(struct shared *shared)
{
    arena_drop(&shared->rx.carry, RECORD_MOST);
    arena_drop(&shared->rx.kept, ARENA_ONCE(shared->rx.kept_room));
    arena_drop(&shared->rx.tickets, sizeof(struct tickets));
    arena_drop(&shared->tx.residue, RECORD_MOST);
    arena_drop(&shared->tx.deferred, DEFERRED_MOST);
    arena_free(shared, sizeof *shared); /* wipes the keys */
}

void shared_free(struct shared *shared)
{
    uint32_t i = bucket_of(shared->cookie);
    if (!open_bucket(i))
        return;
    unlink_from(&family->bucket[i].first, shared);
    close_bucket(i);
    release(shared);
}

/* ---- for all ---- */

/* `slot` leaves it; true where nobody has it then. */
static bool leave_as(struct shared *shared, int slot)
{
    bool last;
    if (lock_take(&shared->holders_lock) == LOCK_MINE)
        return false;
    *word_of(shared, slot) &= ~bit_of(slot);
    last = !shared->ended && nobody(shared);
    shared->ended |= last;
    lock_release(&shared->holders_lock);
    return last;
}

static void each_held(int slot, bool (*is_here)(const struct shared *shared))
{
    for (uint32_t i = 0; i < FAMILY_BUCKETS; i++) {
        arena_ref *ref = &family->bucket[i].first;
        struct shared *shared;
        int n = 0;
        if (!*ref || !open_bucket(i))
            continue;
        while (n++ < BUCKET_MOST && (shared = shared_at(ref))) {
            bool held = *word_of(shared, slot) & bit_of(slot);
            if (held && !(is_here && is_here(shared)) && leave_as(shared, slot)) {
                *ref = shared->next;
                release(shared);
            } else {
                ref = &shared->next;
            }
        }
        close_bucket(i);
    }
}

void shared_bury(int slot)
{
    each_held(slot, NULL);
}

void shared_keep_only(bool (*is_here)(const struct shared *shared))
{
    if (slots_own() >= 0)
        each_held(slots_own(), is_here);
}
