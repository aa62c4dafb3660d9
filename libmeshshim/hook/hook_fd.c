/* Descriptors: closed, duplicated, reused. */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/quiet.h"
#include "conn/handover/adopt.h"
#include "conn/mesh.h"
#include "conn/ownfd.h"
#include "conn/stream/stream.h"
#include "hook/entry.h"
#include "hook/start.h"
#include "hook/stdio.h"

int hook_close(int fd)
{
    struct quiet quiet;
    struct conn *conn;
    int result;
    if (ownfd_is(fd))
        return (int)as_result(-EBADF);
    if (__builtin_expect(!fdtable_get(fd), 1))
        return libc.close(fd);
    quiet_begin(&quiet); /* between its beginning and its end the number leads nowhere */
    conn = entry_leave(fd);
    result = libc.close(fd);
    if (conn)
        conn_left(conn, fd, NULL);
    quiet_end(&quiet);
    return result;
}

/* Everything between, but for our own descriptors. */
static int close_between(unsigned first, unsigned last, int flags)
{
    for (;;) {
        int own = ownfd_next((int)first);
        int result = 0;
        if (own < 0 || (unsigned)own > last)
            return libc.close_range(first, last, flags);
        if ((unsigned)own > first)
            result = libc.close_range(first, (unsigned)own - 1, flags);
        if (result != 0 || (unsigned)own == last)
            return result;
        first = (unsigned)own + 1;
    }
}

int hook_close_range(unsigned first, unsigned last, int flags)
{
    int end = fdtable_end(), result;
    struct quiet quiet;
    if (first > last || (flags & CLOSE_RANGE_CLOEXEC) || mesh_state == MESH_OFF || first > 0x7fffffff)
        return libc.close_range(first, last, flags);
    quiet_begin(&quiet);
    for (int fd = (int)first; fd < end && (unsigned)fd <= last; fd++)
        entry_leave(fd);
    result = close_between(first, last, flags);
    for (int fd = (int)first; fd < end && (unsigned)fd <= last; fd++) {
        struct conn *conn = fdtable_get(fd);
        if (conn && !fdtable_is(fd, conn) && entry_may_change())
            conn_left(conn, fd, NULL);
    }
    quiet_end(&quiet);
    return result;
}

void hook_closefrom(int first)
{
    if (mesh_state == MESH_OFF)
        libc.closefrom(first);
    else
        hook_close_range((unsigned)(first < 0 ? 0 : first), ~0u, 0);
}

/* ---- duplicates ---- */

/* `to` is a duplicate of `from` now; `old` is what it led to before, whose close is under way, or NULL. */
static int duplicated(int from, int to, struct conn *old)
{
    struct conn *conn;
    if (to < 0 || mesh_state == MESH_OFF || !entry_may_change())
        return to;
    if (!old)
        entry_new(to);
    conn = fdtable_get(from);
    if (old)
        conn_left(old, to, conn);
    else if (conn && !conn_add_fd(conn, to)) {
        libc.close(to);
        return (int)as_result(-EMFILE);
    }
    if (conn && to <= STDERR_FILENO && conn_state(conn) != CONN_LISTENING)
        stdio_follow(to);
    return to;
}

int hook_dup(int fd)
{
    return duplicated(fd, libc.dup(fd), NULL);
}

/* What stands at `to` will be closed by the kernel without a word; not where the call is going to fail. */
static struct conn *make_way(int fd, int to)
{
    return libc.fcntl(fd, F_GETFD, 0) < 0 ? NULL : entry_leave(to);
}

int hook_dup2(int fd, int to)
{
    struct quiet quiet;
    struct conn *old;
    int result;
    if (ownfd_is(to))
        return (int)as_result(-EBUSY);
    if (mesh_state == MESH_OFF || fd == to)
        return libc.dup2(fd, to);
    quiet_begin(&quiet);
    old = make_way(fd, to);
    result = duplicated(fd, libc.dup2(fd, to), old);
    quiet_end(&quiet);
    return result;
}

int hook_dup3(int fd, int to, int flags)
{
    struct quiet quiet;
    struct conn *old;
    int result;
    if (ownfd_is(to))
        return (int)as_result(-EBUSY);
    if (mesh_state == MESH_OFF || fd == to)
        return libc.dup3(fd, to, flags);
    quiet_begin(&quiet);
    old = make_way(fd, to);
    result = duplicated(fd, libc.dup3(fd, to, flags), old);
    quiet_end(&quiet);
    return result;
}

/* A copy of another process' descriptor, or of one of our own. */
int hook_pidfd_getfd(int process, int target, unsigned flags)
{
    int fd = entry_new(libc.pidfd_getfd(process, target, flags)), saved = errno;
    if (fd >= 0 && mesh_state != MESH_OFF && entry_may_change()) {
        adopt_received(fd, true, start_service);
        if (fdtable_get(fd))
            stdio_follow(fd);
    }
    errno = saved;
    return fd;
}

int hook_fcntl(int fd, int cmd, long arg)
{
    int result = libc.fcntl(fd, cmd, arg);
    return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? duplicated(fd, result, NULL) : result;
}

int hook_fcntl64(int fd, int cmd, long arg)
{
    int result = libc.fcntl64(fd, cmd, arg);
    return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? duplicated(fd, result, NULL) : result;
}

/* A program that looks at nothing else, and sleeps in between, has nobody else who goes on with the handshake. */
static bool established(struct conn *conn, int fd, bool *plain)
{
    bool ended;
    int result;
    if (!conn_is_pending(conn))
        return conn_state(conn) == CONN_OPEN;
    result = entry_establish(conn, fd, MSG_DONTWAIT, false, &ended);
    *plain = result == 1;
    return result == 0 && conn_state(conn) == CONN_OPEN;
}

int hook_ioctl(int fd, unsigned long request, long arg)
{
    struct conn *conn = request == FIONREAD ? protected_conn(fd) : NULL;
    int bytes, saved = errno;
    ssize_t available = 0;
    bool plain = false;
    if (!conn || is_nowhere((void *)arg))
        return libc.ioctl(fd, request, arg);
    if (established(conn, fd, &plain))
        available = stream_available(conn, fd);
    if (plain)
        return libc.ioctl(fd, request, arg);
    if (available < 0)
        return (int)as_result(available);
    bytes = (int)available;
    memcpy((void *)(uintptr_t)arg, &bytes, sizeof bytes);
    errno = saved;
    return 0;
}
