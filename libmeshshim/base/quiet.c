/* See quiet.h. */
#include "base/quiet.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/banned.h"
#include "base/libc.h"

static __thread int depth;

/* ---- the gate: closed while a thread forks ---- */

static _Atomic int inside; /* threads in a stretch */
static _Atomic int closed; /* CLOSED, or AWAITED: somebody sleeps until it is open */
enum { OPEN, CLOSED, AWAITED };

static void wait_while(_Atomic int *word, int value, long ms)
{
    const struct timespec limit = { 0, ms * 1000000 };
    libc.syscall(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, value, (long)&limit, 0, 0);
}

static void wake(_Atomic int *word)
{
    libc.syscall(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, 0x7fffffff, 0, 0, 0);
}

static void wait_until_open(void)
{
    int seen = CLOSED;
    if (atomic_compare_exchange_strong(&closed, &seen, AWAITED) || seen == AWAITED)
        wait_while(&closed, AWAITED, 100);
}

static void leave(void)
{
    if (atomic_fetch_sub(&inside, 1) == 1 && __builtin_expect(atomic_load(&closed), 0))
        wake(&inside);
}

static void enter(void)
{
    for (;;) {
        atomic_fetch_add(&inside, 1);
        if (__builtin_expect(!atomic_load(&closed), 1))
            return;
        leave();
        wait_until_open();
    }
}

void quiet_alone_begin(void)
{
    int open = OPEN, others, saved = errno;
    while (
        !atomic_compare_exchange_strong(&closed, &open, CLOSED)) { /* two threads fork: one after the other */
        wait_until_open();
        open = OPEN;
    }
    depth++; /* this thread may go on */
    for (int i = 0; i < 100 && (others = atomic_load(&inside)) > 0; i++)
        wait_while(&inside, others, 10);
    errno = saved;
}

void quiet_alone_end(void)
{
    int saved = errno;
    depth--;
    if (atomic_exchange(&closed, OPEN) == AWAITED) /* a sandbox may allow a fork, and no futex */
        wake(&closed);
    errno = saved;
}

void quiet_after_fork(void)
{
    depth = 0;
    atomic_store(&inside, 0);
    atomic_store(&closed, OPEN);
}

/* ---- a stretch ---- */

/* All but those that an instruction raises: the kernel ends a process that blocks them. */
static const sigset_t *postponed(sigset_t *set)
{
    static const int at_once[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
    sigfillset(set);
    for (size_t i = 0; i < sizeof at_once / sizeof at_once[0]; i++)
        sigdelset(set, at_once[i]);
    return set;
}

void quiet_begin(struct quiet *quiet)
{
    sigset_t all;
    int saved = quiet->error = errno;
    if (depth++ > 0)
        return;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &quiet->cancel);
    pthread_sigmask(SIG_BLOCK, postponed(&all), &quiet->before);
    enter();
    errno = saved;
}

void quiet_end(const struct quiet *quiet)
{
    int saved = errno;
    if (--depth > 0)
        return;
    leave();
    pthread_sigmask(SIG_SETMASK, &quiet->before, NULL);
    pthread_setcancelstate(quiet->cancel, NULL);
    errno = saved;
}
