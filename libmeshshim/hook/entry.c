/* See entry.h. */
#include "hook/entry.h"

#include <fcntl.h>

#include "base/banned.h"
#include "base/process.h"
#include "base/quiet.h"
#include "conn/handover/adopt.h"
#include "conn/pending/dial.h"
#include "conn/pending/driver.h"
#include "conn/pending/pending.h"
#include "hook/start.h"
#include "hook/stdio.h"

void entry_be_child(void)
{
    start_after_fork(-1, false);
}

bool entry_may_change(void)
{
    if (__builtin_expect(process_is_unseen_child(), 0))
        entry_be_child();
    return !process_is_borrowed();
}

struct conn *entry_connected(struct conn *conn, int fd)
{
    return entry_may_change() ? adopt_connected(conn, fd, start_service) : NULL;
}

static void stop_listening(const struct conn *conn)
{
    if (conn_state(conn) == CONN_LISTENING && conn->port && atomic_load(&conn->fds) == 1)
        dial_listening(conn->port, false);
}

void entry_lost(int fd)
{
    struct conn *conn = fdtable_get(fd);
    struct quiet quiet;
    if (!conn || !entry_may_change())
        return;
    quiet_begin(&quiet);
    stop_listening(conn);
    conn_lost_fd(conn, fd);
    stdio_leave(fd); /* what is buffered goes where the number leads now, as libc's own buffer would */
    quiet_end(&quiet);
}

struct conn *entry_leave(int fd)
{
    struct conn *conn = fdtable_get(fd);
    if (!conn || !entry_may_change())
        return NULL;
    stdio_leave(fd);
    stop_listening(conn);
    if (__builtin_expect(conn_is_pending(conn), 0))
        driver_keep(conn, fd);
    return conn_leave(conn, fd) ? conn : NULL;
}

static int failed(struct conn *conn, bool *ended)
{
    if (conn->error == 0) { /* the peer left before it said anything */
        *ended = true;
        return 0;
    }
    return -conn->error;
}

int entry_establish(struct conn *conn, int fd, int flags, bool to_send, bool *ended)
{
    bool patient = !(flags & MSG_DONTWAIT) && !(libc.fcntl(fd, F_GETFL, 0) & O_NONBLOCK);
    bool may_pass = conn->may_pass;
    enum pending_result driven;
    int result;
    *ended = false;
    if (!fdtable_is(fd, conn)) /* since the look-up another thread has settled it: as if looked up now */
        return pending_gone(fd, true);
    if (conn_state(conn) == CONN_FAILED)
        return failed(conn, ended);
    if (to_send)
        pending_wants_to_speak(conn);
    if (patient) {
        result = pending_wait(conn, fd, false);
        return conn_state(conn) == CONN_FAILED ? failed(conn, ended) : result;
    }
    driven = pending_drive(conn);
    if (!fdtable_is(fd, conn))
        return pending_gone(fd, may_pass);
    switch (driven) {
    case PENDING_DONE:
        return 0;
    case PENDING_PLAIN:
        return 1;
    case PENDING_FAILED:
        if (conn_state(conn) == CONN_FAILED)
            return failed(conn, ended);
        /* Given up: not connected, and the kernel has the error. Anything else is being closed. */
        return conn_state(conn) == CONN_FRESH ? 1 : -EBADF;
    default:
        if (atomic_load(&pending_count) > 1)
            pending_drive_others(conn); /* the other end may be on this very thread */
        if (conn_state(conn) == CONN_OPEN)
            return 0;
        pending_hold(conn, to_send);
        return -EAGAIN;
    }
}
