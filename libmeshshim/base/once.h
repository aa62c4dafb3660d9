/*
 * Something that is prepared once a process, by whoever needs it first. Unlike pthread_once it is tried again where it has failed: memory
 * that was short then may be there now. Nor does a child hang that was forked in the middle of it.
 */
#ifndef MESHSHIM_ONCE_H
#define MESHSHIM_ONCE_H

#include "base/lock.h"

struct once {
    _Atomic bool done;
    struct lock lock;
};

/* `prepare` says whether it has succeeded, and may find what an earlier try has left. True where all is ready. */
static inline bool once_ready(struct once *once, bool (*prepare)(void))
{
    if (__builtin_expect(atomic_load_explicit(&once->done, memory_order_acquire), 1))
        return true;
    if (lock_take(&once->lock) == LOCK_MINE)
        return false;
    if (!atomic_load_explicit(&once->done, memory_order_relaxed) && prepare())
        atomic_store_explicit(&once->done, true, memory_order_release);
    lock_release(&once->lock);
    return atomic_load_explicit(&once->done, memory_order_acquire);
}

#endif
