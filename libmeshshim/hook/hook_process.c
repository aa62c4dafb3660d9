/* Processes: what belongs to an open file description goes on in a forked child. */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/process.h"
#include "base/quiet.h"
#include "conn/conn.h"
#include "conn/mesh.h"
#include "base/forked.h"
#include "hook/entry.h"
#include "hook/start.h"

static int announce(void)
{
    if (mesh_state == MESH_OFF)
        return -1;
    quiet_alone_begin(); /* first: no connection comes or goes between the announcement and the fork */
    return conn_before_fork();
}

/*
 * _Fork is for signal handlers, which may have interrupted the allocator: who needs that would wait for ever, here by beginning a thread, and
 * in the child by giving memory back. (libc's fork waits for it itself.)
 */
enum origin { BY_FORK, BY_HANDLER };

/* In the parent, at once. */
static void let_others_go_on(void)
{
    if (mesh_state != MESH_OFF)
        quiet_alone_end();
}

static void born(int slot, long child, enum origin origin)
{
    int saved = errno;
    if (child > 0)
        conn_after_fork_in_parent(slot, (pid_t)child, origin != BY_HANDLER);
    else if (child < 0)
        conn_fork_failed(slot);
    errno = saved;
}

/*
 * libc's fork, and those that it makes by itself (daemon, forkpty), tell the handlers of pthread_atfork. Ours was registered first: it is
 * the last before the fork, when no handler of the program's can wait any more for a thread that waits for us, and the first in the child.
 */
static __thread int announced = -1;

static void before_fork(void)
{
    announced = announce();
}

static void after_fork_in_child(void)
{
    start_after_fork(announced, false);
}

void process_watch_forks(void)
{
    pthread_atfork(before_fork, let_others_go_on, after_fork_in_child);
}

/* In a signal handler that has interrupted what must not happen twice (base/forked.h). */
static bool is_refused(void)
{
    return __builtin_expect(forked_is_refused(), 0);
}

pid_t hook_fork(void)
{
    int outer = announced; /* a signal handler forks where this thread was about to */
    pid_t child;
    if (is_refused())
        return (pid_t)as_result(-EAGAIN);
    if (mesh_state == MESH_OFF) /* nobody watches; the hooks will notice */
        return libc.fork();
    child = libc.fork();
    born(announced, child, BY_FORK);
    announced = outer;
    return child;
}

/* Nobody tells the handlers. */
static long forked(int slot, long child, enum origin origin)
{
    int saved = errno;
    if (child == 0)
        start_after_fork(slot, origin == BY_HANDLER);
    else
        let_others_go_on();
    born(slot, child, origin);
    errno = saved;
    return child;
}

pid_t hook__Fork(void)
{
    int slot;
    if (is_refused())
        return (pid_t)as_result(-EAGAIN);
    slot = announce();
    return (pid_t)forked(slot, libc._Fork(), BY_HANDLER);
}

long process_fork_by(long number, long a, long b, long c, long d, long e)
{
    int slot;
    if (is_refused())
        return as_result(-EAGAIN);
    slot = announce();
    return forked(slot, libc.syscall(number, a, b, c, d, e, 0), BY_FORK);
}

struct beginning {
    int (*run)(void *);
    void *context;
    int slot;
};

/* In the child, whose memory is a copy, and which ends by a system call inside libc. */
static int begin_child(void *context)
{
    const struct beginning *beginning = context;
    int status;
    forked(beginning->slot, 0, BY_FORK);
    status = beginning->run(beginning->context);
    start_end();
    return status;
}

int hook_clone(int (*run)(void *), void *stack, int flags, void *context, void *parent, void *tls,
               void *child)
{
    struct beginning beginning = { run, context, -1 };
    if ((flags & CLONE_VM) || mesh_state == MESH_OFF)
        return libc.clone(run, stack, flags, context, parent, tls, child);
    if (is_refused())
        return (int)as_result(-EAGAIN);
    beginning.slot = announce();
    return (int)forked(beginning.slot, libc.clone(begin_child, stack, flags, &beginning, parent, tls, child),
                       BY_FORK);
}

void hook__exit(int status)
{
    if (conn_may_call() && !process_is_unseen_child() && !process_is_borrowed())
        start_end();
    libc._exit(status);
    __builtin_unreachable();
}

void hook__Exit(int status)
{
    hook__exit(status);
}
