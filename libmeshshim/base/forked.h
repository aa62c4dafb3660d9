/*
 * A signal handler of the program may fork while the thread that it has interrupted is in the middle of a call on a connection, and return in
 * both processes. The child then stands where its parent stands, but the lock is the parent's: a child that went on would seal with
 * the parent's numbers. So a call on a direction goes through three kinds of stretches:
 *
 * - it works on what is this process' own (it seals, with numbers that nobody else sees yet): the child does so in its own copy, until it
 *   comes to one of the others;
 * - it is in a real call: the child loses its copy of the buffer, so that what the kernel begins anew there fails and sends nothing;
 *   behind the call it sees that the lock is not its own;
 * - it changes what is shared: fork fails with EAGAIN. That is a moment; the kernel is not waited for in it.
 *
 * The child leaves the call as it was before (-ERESTART) and begins it anew, behind its parent: as on a plain socket, where both go on.
 */
#ifndef MESHSHIM_FORKED_H
#define MESHSHIM_FORKED_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "base/process.h"

/* A real call that is under way; in its caller's frame. */
struct forked_call {
    uint8_t *
        scratch; /* what the kernel reads or writes there; NULL: the program's own bytes, which a child may send and receive as well */
    struct forked_call *outer; /* that of the call which a handler has interrupted */
};

/* Of this thread. */
struct forked_state {
    struct forked_call *volatile call;
    volatile bool refused;
};
extern __thread struct forked_state forked_now;

static inline void forked_refuse(void)
{
    forked_now.refused = true;
    atomic_signal_fence(memory_order_seq_cst);
}

/* As it was before the call: a handler's own call may have interrupted such a stretch. */
static inline void forked_admit(const struct forked_state *before)
{
    atomic_signal_fence(memory_order_seq_cst);
    forked_now.refused = before->refused;
}

static inline void forked_call_begin(struct forked_call *call, uint8_t *scratch)
{
    *call = (struct forked_call){ scratch, forked_now.call };
    atomic_signal_fence(memory_order_seq_cst);
    forked_now.call = call;
}

static inline void forked_call_end(const struct forked_call *call)
{
    forked_now.call = call->outer;
}

/* Has this process taken the lock, or is it a copy of the one that has? */
static inline bool forked_owns(const struct lock *lock)
{
    return lock_is_mine(lock) && !process_is_unseen_child();
}

/* Must a fork fail now? */
static inline bool forked_is_refused(void)
{
    return forked_now.refused;
}

/* In a child. */
void forked_after_fork(void);

#endif
