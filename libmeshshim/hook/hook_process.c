/* Processes: what belongs to an open file description goes on in a forked child. */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/process.h"
#include "base/quiet.h"
#include "conn/conn.h"
#include "conn/mesh.h"
#include "hook/entry.h"
#include "hook/start.h"

static int announce(void)
{
    int slot;
    if (mesh_state == MESH_OFF)
        return -1;
    slot = conn_before_fork();
    quiet_alone_begin();
    return slot;
}

/* What follows a fork, in both processes. */
static long forked(int slot, long child)
{
    int saved = errno;
    if (child != 0 && mesh_state != MESH_OFF)
        quiet_alone_end();
    if (child == 0)
        start_after_fork(slot);
    else if (child > 0)
        conn_after_fork_in_parent(slot, (pid_t)child);
    else
        conn_fork_failed(slot);
    errno = saved;
    return child;
}

/* libc forks by itself as well (daemon, forkpty): then pthread_atfork's handlers are told, and this thread's hook is not. */
static __thread bool hooked;
static __thread int inner_slot;

pid_t hook_fork(void)
{
    int slot = announce();
    pid_t child;
    hooked = true;
    child = libc.fork();
    hooked = false;
    return (pid_t)forked(slot, child);
}

pid_t hook__Fork(void)
{
    int slot = announce();
    return (pid_t)forked(slot, libc._Fork());
}

long process_fork_by(long number, long a, long b, long c, long d, long e)
{
    int slot = announce();
    return forked(slot, libc.syscall(number, a, b, c, d, e, 0));
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
    forked(beginning->slot, 0);
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
    beginning.slot = announce();
    return (int)forked(beginning.slot, libc.clone(begin_child, stack, flags, &beginning, parent, tls, child));
}

static void before_inner_fork(void)
{
    if (!hooked)
        inner_slot = announce();
}

static void after_inner_fork(void)
{
    if (!hooked)
        start_after_fork(inner_slot);
}

static void after_inner_fork_in_parent(void)
{
    if (!hooked && mesh_state != MESH_OFF)
        quiet_alone_end();
}

void process_watch_forks(void)
{
    pthread_atfork(before_inner_fork, after_inner_fork_in_parent, after_inner_fork);
}

void hook__exit(int status)
{
    if (!process_is_unseen_child() && !process_is_borrowed())
        start_end();
    libc._exit(status);
    __builtin_unreachable();
}

void hook__Exit(int status)
{
    hook__exit(status);
}
