/*
 * A small futex lock that may live in memory shared between processes.
 *
 * The word holds the owner's thread id and a mark of its pid namespace, so that three things that break other interposers are seen instead of
 * hanging: a signal handler that comes back into the same connection, an owner that died, and contention with an
 * owner that sleeps in the kernel (the caller decides, see lock_try).
 *
 * Ids mean nothing in another pid namespace: an owner there is taken to live, and waited for. To think that it died, while it is about to
 * send, would seal two records with one nonce.
 */
#ifndef MESHSHIM_LOCK_H
#define MESHSHIM_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lock {
    _Atomic uint32_t word; /* 0: free; else the owner (lock_self), and the top bit where others wait */
};

enum lock_result {
    LOCK_TAKEN,
    LOCK_BUSY,   /* lock_try: somebody else has it */
    LOCK_MINE,   /* this very thread has it: a signal handler interrupted itself */
    LOCK_ORPHAN, /* taken over from an owner that died: what it guards may be half changed */
};

/* This thread, 22 bits of id below 9 of its namespace, cached; lock_forget_thread() after fork, in the child. */
extern __thread uint32_t lock_self_id;
uint32_t lock_ask_self(void);
void lock_forget_thread(void);

static inline uint32_t lock_self(void)
{
    return __builtin_expect(lock_self_id != 0, 1) ? lock_self_id : lock_ask_self();
}

/* Has somebody taken it who is no more? */
bool lock_is_orphan(const struct lock *lock);
enum lock_result lock_contended(struct lock *lock);
void lock_wake(struct lock *lock);

static inline enum lock_result lock_try(struct lock *lock)
{
    uint32_t free_word = 0, self = lock_self();
    if (atomic_compare_exchange_strong_explicit(&lock->word, &free_word, self, memory_order_acquire,
                                                memory_order_relaxed))
        return LOCK_TAKEN;
    return (free_word & 0x7fffffff) == self ? LOCK_MINE : LOCK_BUSY;
}

/* Has this very thread taken it? */
static inline bool lock_is_mine(const struct lock *lock)
{
    return (atomic_load_explicit(&lock->word, memory_order_relaxed) & 0x7fffffff) == lock_self();
}

/* Waits. LOCK_TAKEN and LOCK_ORPHAN must be released, LOCK_MINE must not. */
static inline enum lock_result lock_take(struct lock *lock)
{
    enum lock_result result = lock_try(lock);
    return result == LOCK_BUSY ? lock_contended(lock) : result;
}

/* Waits a tenth of a second at most. To be given back by lock_give, which knows whether it was taken. */
void lock_take_soon(struct lock *lock);

static inline void lock_release(struct lock *lock)
{
    if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) & 0x80000000)
        lock_wake(lock);
}

static inline void lock_give(struct lock *lock)
{
    if (lock_is_mine(lock))
        lock_release(lock);
}

/* For __attribute__((cleanup)). A cancelled thread does not pass there: see conn/undo.h. */
static inline void lock_release_at(struct lock **lock)
{
    if (*lock)
        lock_release(*lock);
}
#define LOCK_GUARD __attribute__((cleanup(lock_release_at))) struct lock *

#endif
