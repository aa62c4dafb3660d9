/* poll and select. Where no descriptor is pending they are the kernel's own. */
#include <string.h>

#include "base/banned.h"
#include "conn/pending.h"
#include "conn/readiness.h"
#include "hook/entry.h"

static const struct timespec *of_ms(int ms, struct timespec *out)
{
    if (ms < 0)
        return NULL;
    *out = (struct timespec){ ms / 1000, ms % 1000 * 1000000L };
    return out;
}

int hook_poll(struct pollfd *fds, nfds_t n, int timeout)
{
    struct timespec limit;
    if (!is_nowhere(fds) && readiness_concerns(fds, n))
        return readiness_poll(fds, n, of_ms(timeout, &limit), NULL);
    return libc.poll(fds, n, timeout);
}

int hook_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    if (!is_nowhere(fds) && readiness_concerns(fds, n))
        return readiness_poll(fds, n, timeout, mask);
    return libc.ppoll(fds, n, timeout, mask);
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
    struct pollfd fds[FD_SETSIZE];
    nfds_t count;
    if (atomic_load_explicit(&pending_count, memory_order_relaxed) == 0 || n < 0 || n > FD_SETSIZE)
        return false;
    count = to_poll(n, r, w, x, fds);
    if (!readiness_concerns(fds, count))
        return false;
    *result = readiness_poll(fds, count, limit, mask);
    if (*result >= 0)
        *result = from_poll(fds, count, n, r, w, x);
    return true;
}

int hook_select(int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *timeout)
{
    struct timespec limit = { 0, 0 }, before, after;
    int result;
    if (timeout)
        limit = (struct timespec){ timeout->tv_sec, timeout->tv_usec * 1000 };
    clock_gettime(CLOCK_MONOTONIC, &before);
    if (!select_pending(n, r, w, x, timeout ? &limit : NULL, NULL, &result))
        return libc.select(n, r, w, x, timeout);
    if (timeout && result >= 0) { /* Linux tells what is left */
        int64_t left = (int64_t)limit.tv_sec * 1000000 + limit.tv_nsec / 1000;
        clock_gettime(CLOCK_MONOTONIC, &after);
        left -= (int64_t)(after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000;
        if (left < 0)
            left = 0;
        *timeout = (struct timeval){ left / 1000000, left % 1000000 };
    }
    return result;
}

int hook_pselect(int n, fd_set *r, fd_set *w, fd_set *x, const struct timespec *timeout, const sigset_t *mask)
{
    int result;
    if (select_pending(n, r, w, x, timeout, mask, &result))
        return result;
    return libc.pselect(n, r, w, x, timeout, mask);
}
