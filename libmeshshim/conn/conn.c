/* Connections: where they live, who leads to them, how they end. See conn.h. */
#include "conn/conn.h"

#include <errno.h>
#include <string.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/process.h"
#include "conn/fdtable.h"
#include "conn/pending/pending_parts.h"
#include "conn/stream/side.h"
#include "conn/family/slots.h"
#include "conn/stream/goodbye.h"
#include "conn/stream/stream.h"

enum { PER_CHUNK = 256, CHUNKS = 1 << 12 };

/* Never unmapped: see conn.h. */
static struct conn *chunks[CHUNKS];
static uint32_t made;
static struct conn *free_list;
static struct lock pool;

struct conn *conn_at(uint32_t index)
{
    if (index >= __atomic_load_n(&made, __ATOMIC_ACQUIRE))
        return NULL;
    return &chunks[index / PER_CHUNK][index % PER_CHUNK];
}

static struct conn *make_one(void)
{
    uint32_t index = made;
    if (index / PER_CHUNK >= CHUNKS)
        return NULL;
    if (index % PER_CHUNK == 0) {
        chunks[index / PER_CHUNK] = calloc(PER_CHUNK, sizeof(struct conn));
        if (!chunks[index / PER_CHUNK])
            return NULL;
    }
    chunks[index / PER_CHUNK][index % PER_CHUNK].index = index;
    __atomic_store_n(&made, index + 1, __ATOMIC_RELEASE);
    return &chunks[index / PER_CHUNK][index % PER_CHUNK];
}

static struct conn *take_one(void)
{
    struct conn *conn;
    if (lock_take(&pool) == LOCK_MINE)
        return NULL;
    conn = free_list;
    if (conn)
        free_list = conn->next;
    else
        conn = make_one();
    lock_release(&pool);
    return conn;
}

static void give_one(struct conn *conn)
{
    if (lock_take(&pool) == LOCK_MINE)
        return;
    conn->next = free_list;
    free_list = conn;
    lock_release(&pool);
}

/* Wipes what a previous connection left; the locks and the index stay. */
static void clean(struct conn *conn)
{
    conn->exact_listener = false;
    conn->port = 0;
    conn->spent = false;
    conn->shared = NULL;
    conn->rx_aead = conn->tx_aead = NULL;
    conn->kernel_seals = conn->kernel_opens = false;
    conn->counters = NULL;
    conn->series = NULL;
    conn->pending = NULL;
    conn->error = conn->so_error = 0;
    conn->error_told = false;
    conn->endpoint = NULL;
    conn->snapshot = NULL;
    conn->registrations = NULL;
    conn->registration_count = conn->registration_room = 0;
    conn->dialled = NULL;
    conn->last = conn->inherited = conn->parted = false;
}

struct conn *conn_new(int fd, enum conn_state state)
{
    struct conn *conn = take_one();
    if (!conn)
        return NULL;
    clean(conn);
    atomic_store(&conn->closing, false);
    atomic_store(&conn->sleepers, 0);
    conn->plain = conn->may_pass = false;
    conn->connect_told = false;
    atomic_store(&conn->fds, 1);
    atomic_store(&conn->entries, 1);
    atomic_store(&conn->fd, fd);
    atomic_store(&conn->state, state);
    if (fdtable_set(fd, conn))
        return conn;
    atomic_store(&conn->state, CONN_FREE);
    give_one(conn);
    return NULL;
}

bool conn_share(struct conn *conn)
{
    struct quiet quiet;
    quiet_begin(&quiet); /* not while a thread forks, which shares it, too */
    if (!conn->shared)
        conn->shared = shared_new(atomic_load(&conn->fd));
    quiet_end(&quiet);
    return conn->shared != NULL;
}

static void share_fresh(struct conn *conn, void *unused)
{
    (void)unused;
    if (conn_state(conn) == CONN_FRESH && !atomic_load(&conn->closing) && atomic_load(&conn->fds) > 0)
        conn_share(conn);
}

void conn_share_fresh(void)
{
    conn_each(share_fresh, NULL);
}

bool conn_add_fd(struct conn *conn, int fd)
{
    atomic_fetch_add(&conn->fds, 1);
    atomic_fetch_add(&conn->entries, 1);
    if (fdtable_set(fd, conn))
        return true;
    atomic_fetch_sub(&conn->fds, 1);
    atomic_fetch_sub(&conn->entries, 1);
    return false;
}

/*
 * For those that no object is left for: what has come must not be read as if it had been opened. It has an entry too many, so it is never
 * settled and recycled.
 */
static struct conn nowhere = { .state = CONN_FAILED, .error = ECONNRESET, .fds = 1, .entries = 1, .fd = -1 };

void conn_refuse(int fd, int error)
{
    struct conn *conn = conn_new(fd, CONN_FRESH);
    libc.shutdown(fd, SHUT_RDWR);
    if (conn) {
        conn->error = error;
        atomic_store(&conn->state, CONN_FAILED);
    } else if (!conn_add_fd(&nowhere, fd)) {
        libc.connect(fd, &(struct sockaddr){ .sa_family = AF_UNSPEC },
                     sizeof(struct sockaddr)); /* throws it away */
    }
}

/* ---- the end ---- */

static void release(struct conn *conn)
{
    struct shared *shared = conn->shared;
    if (conn->series && conn->counters)
        stats_connection_closed(conn->series);
    if (conn->endpoint)
        atomic_fetch_sub(&conn->endpoint->active, 1);
    snapshot_unref(conn->snapshot);
    aead_free(conn->rx_aead);
    aead_free(conn->tx_aead);
    free(conn->registrations);
    free(conn->dialled);
    if (shared && conn->last)
        shared_free(shared);
    clean(conn);
}

/* Takes every lock without waiting, so that whoever is inside finishes first and settles instead. */
void conn_settle(struct conn *conn)
{
    struct shared *shared = conn->shared;
    bool expected = true;
    if (lock_try(&conn->steps) != LOCK_TAKEN)
        return;
    if (conn_state(conn) == CONN_FREE || !atomic_load(&conn->closing)) {
        lock_release(&conn->steps);
        return;
    }
    if (shared && lock_try(&shared->rx.lock) != LOCK_TAKEN) {
        lock_release(&conn->steps);
        return;
    }
    if (shared && lock_try(&shared->tx.lock) != LOCK_TAKEN) {
        lock_release(&shared->rx.lock);
        lock_release(&conn->steps);
        return;
    }
    if (atomic_compare_exchange_strong(&conn->closing, &expected, false)) {
        atomic_store(&conn->state, CONN_FREE);
        if (shared) {
            lock_release(&shared->tx.lock);
            lock_release(&shared->rx.lock);
        }
        release(conn);
        lock_release(&conn->steps);
        give_one(conn);
        return;
    }
    if (shared) {
        lock_release(&shared->tx.lock);
        lock_release(&shared->rx.lock);
    }
    lock_release(&conn->steps);
}

/* Another descriptor of the same description, for the real calls that this library makes by itself. */
static void find_other_fd(struct conn *conn)
{
    int end = fdtable_end();
    for (int fd = 0; fd < end; fd++) {
        if (fdtable_is(fd, conn)) {
            atomic_store(&conn->fd, fd);
            return;
        }
    }
}

/* A step that another thread has under way uses the number that is about to be free, and must not meet what gets it next. */
static void move_from(struct conn *conn, int fd)
{
    struct quiet quiet;
    bool entered;
    if (atomic_load(&conn->fd) != fd)
        return;
    entered = pending_has_steps(conn) && steps_enter(conn, &quiet);
    find_other_fd(conn);
    if (entered)
        steps_leave(conn, &quiet);
}

/* Nobody is in the middle of a call on the number that is about to be free, but who sleeps in the kernel. */
static void wait_for_calls(struct conn *conn)
{
    struct shared *shared = conn->shared;
    if (!shared || conn_state(conn) != CONN_OPEN)
        return;
    if (side_take_last(&shared->tx.lock, &shared->tx.asleep, &shared->tx.error))
        lock_release(&shared->tx.lock);
    if (side_take_last(&shared->rx.lock, &shared->rx.asleep, &shared->rx.error))
        lock_release(&shared->rx.lock);
}

/* It may have waited all the time, and another process have done everything, from the handshake on. */
void conn_say_goodbye(struct conn *conn, int fd)
{
    if (conn_state(conn) != CONN_OPEN) {
        if (!atomic_load_explicit(&conn->shared->established, memory_order_acquire))
            return;
        settle_count(conn, false);
        atomic_store_explicit(&conn->state, CONN_OPEN, memory_order_release);
    }
    goodbye_say(conn, fd, false);
    stream_drain_control(conn, fd);
}

static bool leave(struct conn *conn, int fd, bool goodbye)
{
    int saved = errno;
    if (!fdtable_leave(fd, conn))
        return false;
    wait_for_calls(conn);
    if (atomic_fetch_sub(&conn->fds, 1) > 1) {
        move_from(conn, fd);
        pending_leave(conn, fd);
        errno = saved;
        return true;
    }
    pending_abandon(conn);
    conn->last = conn->shared && shared_leave(conn->shared);
    if (conn->last && goodbye)
        conn_say_goodbye(conn, fd);
    errno = saved;
    return true;
}

bool conn_leave(struct conn *conn, int fd)
{
    return leave(conn, fd, true);
}

void conn_left(struct conn *conn, int fd, struct conn *next)
{
    int saved = errno;
    if (next) {
        atomic_fetch_add(&next->fds, 1);
        atomic_fetch_add(&next->entries, 1);
        fdtable_set(fd, next); /* at once: there is no moment at which the number leads nowhere */
    } else if (!fdtable_left(fd, conn)) {
        return; /* another thread has it */
    }
    if (atomic_fetch_sub(&conn->entries, 1) == 1) {
        atomic_store(&conn->closing, true);
        conn_settle(conn);
    }
    errno = saved;
}

/* (Where another thread's close of the old number is on its way, this ends it.) */
void conn_drop_fd(struct conn *conn, int fd)
{
    leave(conn, fd, true);
    conn_left(conn, fd, NULL);
}

void conn_lost_fd(struct conn *conn, int fd)
{
    leave(conn, fd, false);
    conn_left(conn, fd, NULL);
}

static void forget_fd(struct conn *conn, int fd)
{
    if (!fdtable_is(fd, conn) || !fdtable_clear(fd, conn))
        return;
    atomic_fetch_sub(&conn->fds, 1);
    atomic_fetch_sub(&conn->entries, 1);
}

/* (Most have one descriptor, and are spared the walk.) */
void conn_forget(struct conn *conn)
{
    int end = fdtable_end();
    conn->plain = true;
    forget_fd(conn, atomic_load(&conn->fd));
    for (int fd = 0; fd < end && atomic_load(&conn->fds) > 0; fd++)
        forget_fd(conn, fd);
    conn->last = conn->shared && shared_leave(conn->shared);
    atomic_store(&conn->closing, true);
}

/* ---- fork and exit ---- */

void conn_each(void (*each)(struct conn *conn, void *context), void *context)
{
    uint32_t n = __atomic_load_n(&made, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < n; i++) {
        struct conn *conn = conn_at(i);
        if (conn_state(conn) != CONN_FREE)
            each(conn, context);
    }
}

static void each_shared(void (*change)(struct shared *, int), int slot)
{
    uint32_t n = __atomic_load_n(&made, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < n; i++) {
        struct conn *conn = conn_at(i);
        struct shared *shared = __atomic_load_n(&conn->shared, __ATOMIC_RELAXED);
        if (conn_state(conn) != CONN_FREE && shared && !atomic_load(&conn->closing))
            change(shared, slot);
    }
}

static void note_held(struct conn *conn, void *held)
{
    if (conn_state(conn) != CONN_LISTENING || conn->shared)
        *(bool *)held = true;
}

bool conn_may_call(void)
{
    bool held = !process_is_unprovided();
    if (!held)
        conn_each(note_held, &held);
    return held;
}

int conn_before_fork(void)
{
    int slot;
    if (!conn_may_call() || !family_begin())
        return -1;
    slots_own(); /* a child may send us what it accepts: it must find us */
    slots_note_maker();
    slots_sweep(shared_bury);
    conn_share_fresh();
    slot = slots_reserve();
    each_shared(shared_add, slot);
    return slot;
}

void conn_fork_failed(int slot)
{
    if (slot < 0)
        return;
    each_shared(shared_remove, slot);
    slots_release(slot);
}

void conn_after_fork_in_parent(int slot, pid_t child, bool may_begin_thread)
{
    slots_born(slot, child);
    pending_after_fork_in_parent(may_begin_thread);
}

/* Another thread was closing it and went on in the parent: by now its memory may be another connection's. */
static void cut_stale(struct conn *conn, void *unused)
{
    (void)unused;
    if (!conn->shared || shared_is_held(conn->shared, slots_own()))
        return;
    pending_abandon(conn);
    conn->shared = NULL;
    conn->error = ECONNRESET;
    atomic_store(&conn->state, CONN_FAILED);
}

/* The parent does, which made the handshake: this end of it may come long before the parent's. */
static void count_no_more(struct conn *conn, void *unused)
{
    (void)unused;
    conn->series = NULL;
}

void conn_after_fork_in_child(int slot)
{
    uint32_t n = made;
    pool = (struct lock){ 0 };
    for (uint32_t i = 0; i < n; i++)
        conn_at(i)->steps = (struct lock){ 0 };
    conn_each(count_no_more, NULL);
    if (!family)
        return;
    if (slots_claim(slot))
        conn_each(cut_stale, NULL);
    else if (conn_may_call())
        each_shared(shared_add, slots_own());
}

/* Under the connection's lock, for other threads may be ending it at this very moment. */
static void say_last_goodbye(struct conn *conn)
{
    int fd = atomic_load(&conn->fd);
    bool has_it = conn_state(conn) == CONN_OPEN || conn_is_pending(conn) ||
                  (conn_state(conn) == CONN_FRESH && conn->shared);
    if (!has_it || fdtable_get(fd) != conn)
        return;
    if (shared_part(conn->shared))
        conn_say_goodbye(conn, fd);
    if (conn->series)
        stats_connection_closed(conn->series);
    conn->series = NULL;
}

void conn_goodbye_all(void)
{
    uint32_t n = __atomic_load_n(&made, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < n; i++) {
        struct conn *conn = conn_at(i);
        if (lock_try(&conn->steps) != LOCK_TAKEN) /* in the middle of its handshake, or of its end */
            continue;
        say_last_goodbye(conn);
        lock_release(&conn->steps);
        if (atomic_load(&conn->closing))
            conn_settle(conn);
    }
}
