/* epoll. Established connections are the kernel's own business; see conn/readiness.h for the others. */
#include "base/banned.h"
#include "conn/mesh.h"
#include "conn/pending/readiness.h"
#include "hook/entry.h"

int hook_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    struct conn *conn = fdtable_get(fd);
    enum conn_state state = conn ? conn_state(conn) : CONN_FREE;
    if (state == CONN_FRESH || (conn && conn_is_pending(conn)))
        return (int)as_result(readiness_control(conn, epfd, op, fd, event));
    return libc.epoll_ctl(epfd, op, fd, event);
}

static const struct timespec *of_ms(int ms, struct timespec *out)
{
    if (ms < 0)
        return NULL;
    *out = (struct timespec){ ms / 1000, ms % 1000 * 1000000L };
    return out;
}

int hook_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
    struct timespec limit;
    int n;
    if (mesh_state != MESH_ON)
        return libc.epoll_wait(epfd, events, max, timeout);
    n = libc.epoll_wait(epfd, events, max, timeout);
    return n > 0 ? readiness_epoll_on(epfd, events, max, n, of_ms(timeout, &limit), false, NULL) : n;
}

int hook_epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
    struct timespec limit;
    int n;
    if (mesh_state != MESH_ON)
        return libc.epoll_pwait(epfd, events, max, timeout, mask);
    n = libc.epoll_pwait(epfd, events, max, timeout, mask);
    return n > 0 ? readiness_epoll_on(epfd, events, max, n, of_ms(timeout, &limit), false, mask) : n;
}

int hook_epoll_pwait2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout,
                      const sigset_t *mask)
{
    int n;
    if (mesh_state != MESH_ON)
        return libc.epoll_pwait2(epfd, events, max, timeout, mask);
    n = libc.epoll_pwait2(epfd, events, max, timeout, mask);
    return n > 0 ? readiness_epoll_on(epfd, events, max, n, timeout, true, mask) : n;
}
