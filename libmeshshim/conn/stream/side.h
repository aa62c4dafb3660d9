/* One direction of a connection, for one call of the program. */
#ifndef MESHSHIM_SIDE_H
#define MESHSHIM_SIDE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/forked.h"
#include "conn/family/shared.h"

/* Where lock_try has not given it. */
int side_wait(struct lock *lock, _Atomic shared_bool *asleep, int fd, int flags, enum lock_result tried,
              const struct forked_state *before);

/*
 * Takes a direction's lock. 0; -EAGAIN where the caller may not wait behind an owner that sleeps in the kernel, or is a signal handler that
 * came back into the connection it interrupted. Where the owner has died the lock is taken: -EOWNERDEAD, it slept in the kernel (its
 * process was killed, or has become another program by exec); -EIO, it was in the middle. Where it is taken, no fork is let in from here on
 * (forked.h); -ERESTART: this is a child that was forked here, and its parent has taken it.
 */
static inline int side_take(struct lock *lock, _Atomic shared_bool *asleep, int fd, int flags)
{
    const struct forked_state before = forked_now;
    enum lock_result result;
    forked_refuse(); /* a child that a handler forked in the middle would take it in its parent's name */
    result = lock_try(lock);
    return __builtin_expect(result == LOCK_TAKEN, 1) ? 0
                                                     : side_wait(lock, asleep, fd, flags, result, &before);
}

/*
 * For a close, after the descriptor's entry says that it is being closed: waits for whoever is in the middle, so that nothing of it
 * reaches a socket that gets the same number next. One who sleeps in the kernel is not waited for: it has the old socket.
 * True where the lock is taken; where its owner died in the middle, that is the direction's error.
 */
bool side_take_last(struct lock *lock, _Atomic shared_bool *asleep, int *error);

#endif
