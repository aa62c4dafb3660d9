/* See lock.h. */
#include "base/lock.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/forked.h"
#include "base/libc.h"
#include "base/process.h"

#define WAITERS 0x80000000u

enum { ID_BITS = 22 }; /* pid_max is at most 2^22 */

__thread uint32_t lock_self_id;

uint32_t lock_ask_self(void)
{
    return lock_self_id = process_namespace() << ID_BITS | (uint32_t)gettid();
}

void lock_forget_thread(void)
{
    lock_self_id = 0;
}

static void futex_wait(struct lock *lock, uint32_t seen)
{
    const struct timespec patience = { 0, 200 * 1000 * 1000 };
    libc.syscall(SYS_futex, (long)&lock->word, FUTEX_WAIT, (long)seen, (long)&patience, 0, 0);
}

void lock_wake(struct lock *lock)
{
    libc.syscall(SYS_futex, (long)&lock->word, FUTEX_WAKE, 1, 0, 0, 0);
}

static bool owner_is_gone(uint32_t word)
{
    uint32_t owner = word & ~WAITERS, id = owner & ((1u << ID_BITS) - 1);
    return id != 0 && owner >> ID_BITS == lock_self() >> ID_BITS && process_is_gone((pid_t)id);
}

bool lock_is_orphan(const struct lock *lock)
{
    return owner_is_gone(atomic_load_explicit(&lock->word, memory_order_relaxed));
}

/* A child that a handler forked in between would take it in its parent's name. */
static bool take_as_myself(struct lock *lock, uint32_t seen)
{
    forked_refuse();
    return atomic_compare_exchange_strong_explicit(&lock->word, &seen, lock_self() | WAITERS,
                                                   memory_order_acquire, memory_order_relaxed);
}

enum lock_result lock_contended(struct lock *lock)
{
    const struct forked_state before = forked_now;
    int saved = errno;
    for (;;) {
        uint32_t seen = atomic_load_explicit(&lock->word, memory_order_relaxed);
        bool orphan = false;
        if (seen != 0) {
            if (!(seen & WAITERS) && !atomic_compare_exchange_strong(&lock->word, &seen, seen | WAITERS))
                continue;
            seen |= WAITERS;
            if (!owner_is_gone(seen))
                futex_wait(lock, seen);
            if (atomic_load(&lock->word) == seen && owner_is_gone(seen))
                orphan = true;
            else
                seen = 0;
        }
        if (take_as_myself(lock, seen)) {
            forked_admit(&before);
            errno = saved;
            return orphan ? LOCK_ORPHAN : LOCK_TAKEN;
        }
        forked_admit(&before);
    }
}

void lock_take_soon(struct lock *lock)
{
    const struct timespec moment = { 0, 1000 * 1000 };
    for (int i = 0; i < 100 && lock_try(lock) == LOCK_BUSY; i++)
        libc.syscall(SYS_nanosleep, (long)&moment, 0, 0, 0, 0, 0);
}
