/*
 * poll and select. Where no descriptor is pending they are the kernel's own; but one that it calls readable because a record has begun to
 * come is not reported before there is something to read.
 */
#include <string.h>

#include "base/banned.h"
#include "base/clock.h"
#include "conn/fdtable.h"
#include "conn/pending/pending.h"
#include "conn/pending/readiness.h"
#include "conn/stream/stream.h"
#include "hook/entry.h"

/* When the program's own time is over, or -1: never, as good as never. */
static int64_t deadline_of(const struct timespec *limit)
{
    if (!limit || limit->tv_sec > INT32_MAX)
        return -1;
    return clock_ns() + (int64_t)limit->tv_sec * 1000000000 + limit->tv_nsec;
}

/* A time that the kernel is to judge. */
static bool is_odd(const struct timespec *limit)
{
    return limit &&
           (is_nowhere(limit) || limit->tv_sec < 0 || limit->tv_nsec < 0 || limit->tv_nsec >= 1000000000);
}

static const struct timespec *time_left(int64_t deadline, struct timespec *left)
{
    int64_t ns = deadline < 0 ? 0 : deadline - clock_ns();
    if (deadline < 0)
        return NULL;
    ns = ns < 0 ? 0 : ns;
    *left = (struct timespec){ ns / 1000000000, ns % 1000000000 };
    return left;
}

static bool only_begun(int fd)
{
    struct conn *conn = protected_conn(fd);
    return conn && conn_state(conn) == CONN_OPEN && !stream_is_readable(conn, fd);
}

static const struct timespec *of_ms(int ms, struct timespec *out)
{
    if (ms < 0)
        return NULL;
    *out = (struct timespec){ ms / 1000, ms % 1000 * 1000000L };
    return out;
}

static int without_begun(struct pollfd *fds, nfds_t n, int ready)
{
    const short reads = POLLIN | POLLRDNORM;
    for (nfds_t i = 0; i < n; i++) {
        if (!(fds[i].revents & reads) || !only_begun(fds[i].fd))
            continue;
        fds[i].revents &= (short)~reads;
        ready -= fds[i].revents == 0;
    }
    return ready;
}

/* `ready` is the first answer: where nothing remains of it, the wait goes on. */
static int poll_on(struct pollfd *fds, nfds_t n, int ready, int64_t deadline, const sigset_t *mask)
{
    while (ready > 0 && (ready = without_begun(fds, n, ready)) == 0) {
        struct timespec left;
        const struct timespec *limit = time_left(deadline, &left);
        bool last = limit && limit->tv_sec == 0 && limit->tv_nsec == 0;
        if (readiness_concerns(fds, n))
            ready = readiness_poll(fds, n, limit, mask);
        else
            ready = libc.ppoll(fds, n, limit, mask);
        if (last)
            return ready > 0 ? without_begun(fds, n, ready) : ready;
    }
    return ready;
}

enum { LOOK_MOST = 4096 }; /* more than that the kernel may not take either, and never looks at */

/* Where none of them is known there is nothing to follow. */
static inline bool concerns_nobody(const struct pollfd *fds, nfds_t n)
{
    if (fdtable_end() == 0 || is_nowhere(fds))
        return true;
    if (n > LOOK_MOST)
        return false;
    for (nfds_t i = 0; i < n; i++)
        if (fdtable_get(fds[i].fd))
            return false;
    return true;
}

static __attribute__((noinline)) int poll_known(struct pollfd *fds, nfds_t n, int timeout)
{
    struct timespec space;
    const struct timespec *limit = of_ms(timeout, &space);
    int64_t deadline = deadline_of(limit);
    int ready = readiness_concerns(fds, n) ? readiness_poll(fds, n, limit, NULL) : libc.poll(fds, n, timeout);
    return ready > 0 ? poll_on(fds, n, ready, deadline, NULL) : ready;
}

/* Last calls, with no frame of ours to come back through: behind a system call each return is a dear one. */
int hook_poll(struct pollfd *fds, nfds_t n, int timeout)
{
    return concerns_nobody(fds, n) ? libc.poll(fds, n, timeout) : poll_known(fds, n, timeout);
}

static __attribute__((noinline)) int ppoll_known(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
                                                 const sigset_t *mask)
{
    int64_t deadline = deadline_of(timeout);
    int ready = readiness_concerns(fds, n) ? readiness_poll(fds, n, timeout, mask)
                                           : libc.ppoll(fds, n, timeout, mask);
    return ready > 0 ? poll_on(fds, n, ready, deadline, mask) : ready;
}

int hook_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    return is_odd(timeout) || concerns_nobody(fds, n) ? libc.ppoll(fds, n, timeout, mask)
                                                      : ppoll_known(fds, n, timeout, mask);
}

int hook___poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
    if (room / sizeof *fds < n)
        return libc.__poll_chk(fds, n, timeout, room);
    return hook_poll(fds, n, timeout);
}

int hook___ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
                     size_t room)
{
    if (room / sizeof *fds < n)
        return libc.__ppoll_chk(fds, n, timeout, mask, room);
    return hook_ppoll(fds, n, timeout, mask);
}

/* ---- select, as a poll over the same descriptors ---- */

enum { READS = POLLIN | POLLRDHUP | POLLHUP | POLLERR, WRITES = POLLOUT | POLLERR };

static bool in_set(int fd, const fd_set *set)
{
    return set && FD_ISSET(fd, set);
}

static nfds_t to_poll(int n, const fd_set *r, const fd_set *w, const fd_set *x, struct pollfd *fds)
{
    nfds_t count = 0;
    for (int fd = 0; fd < n; fd++) {
        short events = (short)((in_set(fd, r) ? POLLIN : 0) | (in_set(fd, w) ? POLLOUT : 0) |
                               (in_set(fd, x) ? POLLPRI : 0));
        if (events)
            fds[count++] = (struct pollfd){ fd, events, 0 };
    }
    return count;
}

static int from_poll(const struct pollfd *fds, nfds_t count, int n, fd_set *r, fd_set *w, fd_set *x)
{
    int ready = 0;
    fd_set *const sets[] = { r, w, x };
    static const short meaning[] = { READS, WRITES, POLLPRI };
    static const short asked[] = { POLLIN, POLLOUT, POLLPRI };
    for (int s = 0; s < 3; s++)
        for (int fd = 0; sets[s] && fd < n; fd++)
            FD_CLR(fd, sets[s]);
    for (nfds_t i = 0; i < count; i++) {
        for (int s = 0; s < 3; s++) {
            if (!(fds[i].events & asked[s]) || !(fds[i].revents & meaning[s]))
                continue;
            FD_SET(fds[i].fd, sets[s]);
            ready++;
        }
    }
    return ready;
}

/* True where it was handled: a pending connection is among them. */
static bool select_pending(int n, fd_set *r, fd_set *w, fd_set *x, const struct timespec *limit,
                           const sigset_t *mask, int *result)
{
    enum { FEW = 64 };
    struct pollfd few[FEW], *fds = few;
    nfds_t count;
    bool handled;
    if (atomic_load_explicit(&pending_count, memory_order_relaxed) == 0 || n < 0 || n > FD_SETSIZE)
        return false;
    if (n > FEW) /* some threads have 16 KiB of stack, and a handshake wants most of them */
        fds = malloc((size_t)n * sizeof *fds);
    if (!fds)
        return false;
    count = to_poll(n, r, w, x, fds);
    handled = readiness_concerns(fds, count);
    if (handled)
        *result = readiness_poll(fds, count, limit, mask);
    if (handled && *result >= 0)
        *result = from_poll(fds, count, n, r, w, x);
    if (fds != few)
        free(fds);
    return handled;
}

/* ---- the kernel's own select, without what has only begun ---- */

struct sets {
    fd_set *program[3]; /* to read, to write, exceptions */
    fd_set asked[3];
};

static void keep_sets(struct sets *sets, fd_set *r, fd_set *w, fd_set *x)
{
    fd_set *const program[] = { r, w, x };
    for (int i = 0; i < 3; i++) {
        sets->program[i] = program[i];
        if (program[i])
            sets->asked[i] = *program[i];
    }
}

static void ask_again(struct sets *sets)
{
    for (int i = 0; i < 3; i++)
        if (sets->program[i])
            *sets->program[i] = sets->asked[i];
}

static int sets_without_begun(int n, fd_set *r, int ready)
{
    for (int fd = 0; fd < n; fd++) {
        if (!in_set(fd, r) || !only_begun(fd))
            continue;
        FD_CLR(fd, r);
        ready--;
    }
    return ready;
}

static int select_once(int n, struct sets *sets, const struct timespec *limit, const sigset_t *mask)
{
    fd_set *r = sets->program[0], *w = sets->program[1], *x = sets->program[2];
    int result;
    if (!select_pending(n, r, w, x, limit, mask, &result))
        result = libc.pselect(n, r, w, x, limit, mask);
    return result > 0 ? sets_without_begun(n, r, result) : result;
}

static bool is_odd_set(const fd_set *set)
{
    return set && is_nowhere(set);
}

/* Can there be a connection of ours among them? */
static bool select_concerns(int n, const fd_set *r, const fd_set *w, const fd_set *x)
{
    if (n < 0 || n > FD_SETSIZE || fdtable_end() == 0 || is_odd_set(r) || is_odd_set(w) || is_odd_set(x))
        return false;
    for (int fd = 0; fd < n; fd++)
        if (fdtable_get(fd) && (in_set(fd, r) || in_set(fd, w) || in_set(fd, x)))
            return true;
    return false;
}

static int select_until(int n, fd_set *r, fd_set *w, fd_set *x, int64_t deadline, const sigset_t *mask)
{
    struct sets sets;
    keep_sets(&sets, r, w, x);
    for (;;) {
        struct timespec left;
        const struct timespec *limit = time_left(deadline, &left);
        bool last = limit && limit->tv_sec == 0 && limit->tv_nsec == 0;
        int ready = select_once(n, &sets, limit, mask);
        if (ready != 0 || last)
            return ready;
        ask_again(&sets);
    }
}

int hook_select(int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *timeout)
{
    struct timespec limit;
    int64_t deadline, us;
    int result;
    if (timeout && !is_nowhere(timeout))
        limit = (struct timespec){ timeout->tv_sec + timeout->tv_usec / 1000000,
                                   timeout->tv_usec % 1000000 * 1000 };
    if ((timeout && (is_nowhere(timeout) || is_odd(&limit))) || !select_concerns(n, r, w, x))
        return libc.select(n, r, w, x, timeout);
    deadline = deadline_of(timeout ? &limit : NULL);
    result = select_until(n, r, w, x, deadline, NULL);
    if (deadline >= 0 && result >= 0) { /* Linux tells what is left */
        us = (deadline - clock_ns()) / 1000;
        us = us < 0 ? 0 : us;
        *timeout = (struct timeval){ us / 1000000, us % 1000000 };
    }
    return result;
}

int hook_pselect(int n, fd_set *r, fd_set *w, fd_set *x, const struct timespec *timeout, const sigset_t *mask)
{
    if (is_odd(timeout) || !select_concerns(n, r, w, x))
        return libc.pselect(n, r, w, x, timeout, mask);
    return select_until(n, r, w, x, deadline_of(timeout), mask);
}
