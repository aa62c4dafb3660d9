/*
 * libc's syscall(). libuv closes by it, some programs do their input and output by it: what has a hook goes through the hook. Where the
 * kernel's arguments are libc's, the route comes from the table of symbols; what differs has a function here.
 */
#include <linux/aio_abi.h>
#include <linux/sched.h>
#include <sched.h>

#include "base/banned.h"
#include "conn/mesh.h"
#include "conn/pending/pending.h"
#include "hook/entry.h"
#include "hook/sandbox.h"
#include "hook/start.h"

#define PTR(x) ((void *)(uintptr_t)(x))

typedef long call(long a, long b, long c, long d, long e, long f);

static long refused(long a, long b, long c, long d, long e, long f)
{
    (void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
    return as_result(-ENOSYS);
}

/* The kernel takes an offset in two halves, of which the first is the whole where a long has 64 bits. */
static long by_preadv2(long fd, long iov, long n, long offset, long unused, long flags)
{
    (void)unused;
    return hook_preadv2((int)fd, PTR(iov), (int)n, offset, (int)flags);
}

static long by_pwritev2(long fd, long iov, long n, long offset, long unused, long flags)
{
    (void)unused;
    return hook_pwritev2((int)fd, PTR(iov), (int)n, offset, (int)flags);
}

/* The kernel tells in the limit what is left of it, libc does not: so the kernel itself, where nothing is pending. */
static long by_ppoll(long fds, long n, long limit, long mask, long size, long f)
{
    if (atomic_load_explicit(&pending_count, memory_order_relaxed) == 0)
        return libc.syscall(SYS_ppoll, fds, n, limit, mask, size, f);
    return hook_ppoll(PTR(fds), (nfds_t)n, PTR(limit), PTR(mask));
}

/* The last argument is two: the mask, and its size. */
static long by_pselect6(long n, long r, long w, long x, long limit, long last)
{
    const struct {
        const sigset_t *mask;
        size_t size;
    } *masked = PTR(last);
    if (atomic_load_explicit(&pending_count, memory_order_relaxed) == 0)
        return libc.syscall(SYS_pselect6, n, r, w, x, limit, last);
    return hook_pselect((int)n, PTR(r), PTR(w), PTR(x), PTR(limit), masked ? masked->mask : NULL);
}

/* libc itself follows the pointer to the limit, the kernel looks at where it leads. */
#ifdef SYS_select
static long by_select(long n, long r, long w, long x, long limit, long f)
{
    if (limit && !is_readable(PTR(limit), sizeof(struct timeval)))
        return libc.syscall(SYS_select, n, r, w, x, limit, f);
    return hook_select((int)n, PTR(r), PTR(w), PTR(x), PTR(limit));
}
#endif

static long by_exit_group(long status, long b, long c, long d, long e, long f)
{
    (void)b, (void)c, (void)d, (void)e, (void)f;
    hook__exit((int)status);
    return 0;
}

/* The kernel's own asynchronous input and output (nginx does files by it): not on a protected connection, which it would read raw. */
static long by_io_submit(long context, long n, long list, long d, long e, long f)
{
    struct iocb *const *requests = PTR(list);
    long fit = 0;
    while (fit < n && !is_nowhere(requests) && !is_nowhere(requests[fit]) &&
           !protected_conn((int)requests[fit]->aio_fildes))
        fit++;
    if (fit == 0 && n > 0 && !is_nowhere(requests) && !is_nowhere(requests[0]))
        return as_result(-EINVAL);
    return libc.syscall(SYS_io_submit, context, fit < n && fit > 0 ? fit : n, list, d, e, f);
}

/* What the kernel's number leads to: a hook, or a descriptor is made and has no hook in libc. */
struct route {
    call *function;
    bool is_int; /* of what it returns, the upper half is nothing */
    bool makes;
};

enum { NUMBERS = 512 };

#define TO(name) ((call *)(void *)(name))

#pragma GCC diagnostic ignored "-Woverride-init" /* several names of libc are one system call */
static const struct route routes[NUMBERS + 1] = {
#define SYM(ret, name, params, args, number)                                                                 \
    [(number) < 0 ? NUMBERS : (number)] = { TO(hook_##name), __builtin_types_compatible_p(ret, int), false },
#include "base/symbols.def"
#undef SYM
    [SYS_io_uring_setup] = { refused, false, false }, /* it could not be seen; programs fall back to epoll */
    [SYS_preadv2] = { by_preadv2, false, false },
    [SYS_pwritev2] = { by_pwritev2, false, false },
    [SYS_ppoll] = { by_ppoll, false, false },
    [SYS_pselect6] = { by_pselect6, false, false },
#ifdef SYS_select
    [SYS_select] = { by_select, true, false },
#endif
    [SYS_exit_group] = { by_exit_group, false, false },
#ifdef SYS_fork
    [SYS_fork] = { TO(hook_fork), true, false },
#endif
    [SYS_io_submit] = { by_io_submit, false, false },
    [SYS_seccomp] = { sandbox_seccomp, false, false },
    [SYS_signalfd4] = { NULL, false, true },
    [SYS_mq_open] = { NULL, false, true },
    [SYS_openat2] = { NULL, false, true },
    [SYS_userfaultfd] = { NULL, false, true },
    [SYS_perf_event_open] = { NULL, false, true },
    [SYS_landlock_create_ruleset] = { NULL, false, true },
#ifdef SYS_memfd_secret
    [SYS_memfd_secret] = { NULL, false, true },
#endif
#ifdef SYS_signalfd
    [SYS_signalfd] = { NULL, false, true },
    [SYS_eventfd] = { NULL, false, true },
#endif
    [NUMBERS] = { NULL, false, false },
};

/* vsftpd forks by the one, container run-times by the other. */
static bool is_fork(long number, long a, long b)
{
    const struct clone_args *args = PTR(a);
    if (number == SYS_clone)
        return !(a & CLONE_VM) && b == 0;
    return number == SYS_clone3 && (size_t)b >= CLONE_ARGS_SIZE_VER0 &&
           is_readable(args, CLONE_ARGS_SIZE_VER0) && !(args->flags & CLONE_VM) && args->stack == 0;
}

/* What we have nothing to do with leaves here by a jump: a child of clone returns on a stack of its own. */
long hook_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    const struct route *route = (unsigned long)number < NUMBERS ? &routes[number] : &routes[NUMBERS];
    if (__builtin_expect(mesh_state == MESH_OFF, 0))
        return libc.syscall(number, a, b, c, d, e, f);
    if (route->function) {
        long result = route->function(a, b, c, d, e, f);
        return route->is_int ? (int)result : result;
    }
    if (route->makes)
        return entry_new((int)libc.syscall(number, a, b, c, d, e, f));
    if (is_fork(number, a, b))
        return process_fork_by(number, a, b, c, d, e);
    return libc.syscall(number, a, b, c, d, e, f);
}
