/* Time and waiting: deadlines of pending connections, and blocking calls that need one settled. See pending.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "base/banned.h"
#include "base/clock.h"
#include "base/libc.h"
#include "base/process.h"
#include "conn/pending/dial.h"
#include "conn/fdtable.h"
#include "conn/pending/pending_parts.h"
#include "conn/stream/undo.h"

static bool shakes_elsewhere(pid_t shaker)
{
    return shaker != 0 && shaker != process_id();
}

static bool another_shakes(const struct shared *shared)
{
    pid_t shaker = atomic_load(&shared->shaker);
    return shakes_elsewhere(shaker) && !process_is_gone(shaker);
}

/* The steps lock is held. */
static void expire_one(struct conn *conn, int64_t now)
{
    struct pending *p = conn->pending;
    struct handshake_fault late = { FAILURE_TIMEOUT, ETIMEDOUT, false, "" };
    if (settle_adopt(conn))
        return;
    if (p->look_ms && now >= p->look_ms)
        p->look_ms = another_shakes(conn->shared) ? now + PENDING_LOOK_MS : 0;
    if (p->dial.retry_ms && now >= p->dial.retry_ms) {
        dial_now(conn);
        return;
    }
    if (p->grace_ms && now >= p->grace_ms) {
        if (p->inbound && atomic_load(&conn->shared->shaker) != 0) {
            p->grace_ms = 0; /* another process hears it: it is not silent */
        } else if (
            p->inbound) { /* permissive, and the program wants to speak first to a silent client: plain text */
            settle_plain(conn, STATS_PASSED_PLAIN);
            return;
        } else {
            steps_grant_grace(conn);
        }
    }
    if (now < p->deadline_ms)
        return;
    if (another_shakes(conn->shared)) {
        p->deadline_ms = now + 1000;
        return; /* another process has it in hand */
    }
    if (!p->inherited && (steps_take(conn) != PENDING_WAITS || now < p->deadline_ms))
        return; /* it was there in time: the program looks late */
    if (conn_state(conn) == CONN_CONNECTING)
        snprintf(late.text, sizeof late.text, "no answer within connect_timeout (%lld ms)",
                 (long long)p->dial.service->connect_timeout_ms);
    else
        snprintf(late.text, sizeof late.text, "the handshake took longer than handshake_timeout (%lld ms)%s",
                 (long long)(p->inbound ? p->inbound->handshake_timeout_ms
                                        : p->dial.service->handshake_timeout_ms),
                 conn_state(conn) == CONN_ARRIVED ? "; the client said nothing" : "");
    steps_fail_or_retry(conn, &late);
}

int64_t pending_expire(int64_t now)
{
    enum { MOST = 256 };
    struct conn *due[MOST];
    int64_t next;
    int n;
    n = pending_due(due, MOST, now, &next);
    for (int i = 0; i < n; i++) {
        struct quiet quiet;
        if (!steps_enter_now(due[i], &quiet))
            continue;
        if (conn_is_pending(due[i]))
            expire_one(due[i], now);
        if (due[i]->pending) {
            int64_t when = pending_next_event(due[i]->pending);
            if (next == 0 || when < next)
                next = when;
        }
        steps_leave(due[i], &quiet);
    }
    if (n == MOST && (next == 0 || next > now + 1))
        next = now + 1;
    return next;
}
/* poll(2) never restarts; whether the program expects a restart is what its handlers say. */
static bool handlers_restart(void)
{
    for (int i = 1; i <= SIGRTMAX; i++) {
        struct sigaction action;
        if (i == SIGSEGV || i == SIGBUS || i == SIGFPE || i == SIGILL || i == SIGTRAP) /* nobody waits then */
            continue;
        if (sigaction(i, NULL, &action) == 0 && action.sa_handler != SIG_DFL &&
            action.sa_handler != SIG_IGN && !(action.sa_flags & SA_RESTART))
            return false;
    }
    return true;
}

enum { MOST_DRIVEN = 64 };

static int64_t own_timeout_ms(int fd, bool connecting)
{
    struct timeval limit = { 0, 0 };
    socklen_t length = sizeof limit;
    if (libc.getsockopt(fd, SOL_SOCKET, connecting ? SO_SNDTIMEO : SO_RCVTIMEO, &limit, &length) != 0)
        return 0;
    return (int64_t)limit.tv_sec * 1000 + limit.tv_usec / 1000;
}

struct pollfd pending_how_to_poll(const struct conn *conn)
{
    struct quiet quiet;
    short wants;
    bool in_vain;
    pending_list_take(&quiet); /* what is in the list is not taken apart meanwhile */
    wants = pending_wants(conn);
    in_vain =
        wants == 0 || (conn->pending && conn->shared && shakes_elsewhere(atomic_load(&conn->shared->shaker)));
    pending_list_give(&quiet);
    return (struct pollfd){ in_vain ? -1 : atomic_load(&conn->fd), wants, 0 };
}

/* Its own, and as many of those that nobody else waits for as there is room. */
static nfds_t what_to_poll(const struct conn *own, struct pollfd *fds)
{
    struct conn *all[MOST_DRIVEN - 1];
    int listed = pending_list(all, MOST_DRIVEN - 1);
    nfds_t n = 0;
    fds[n++] = pending_how_to_poll(own);
    for (int i = 0; i < listed; i++)
        if (all[i] != own && !atomic_load(&all[i]->sleepers))
            fds[n++] = pending_how_to_poll(all[i]);
    return n;
}

static int sleep_until(const struct conn *conn, pid_t shaker, int64_t until, int64_t next)
{
    struct pollfd fds[MOST_DRIVEN];
    int64_t now = clock_ms(), left;
    nfds_t n = what_to_poll(conn, fds);
    if (until && (next == 0 || until < next))
        next = until;
    left = next == 0 ? PENDING_SLEEP_MS : next > now ? next - now : 0;
    if (shakes_elsewhere(shaker) && left > PENDING_LOOK_MS)
        left = PENDING_LOOK_MS; /* its progress shows in shared memory alone */
    return libc.poll(fds, n, (int)(left > PENDING_SLEEP_MS ? PENDING_SLEEP_MS : left));
}

static int wait_once(struct conn *conn, int64_t until, bool graced)
{
    int64_t next = pending_expire(clock_ms());
    const struct pending *own;
    const struct shared *shared;
    struct undo undo;
    int result = 0;
    pending_await(conn);
    undo_begin(&undo, pending_awake, conn);
    own = conn->pending;
    shared = conn->shared;
    /* Else time has settled it, or another thread. */
    if (conn_is_pending(conn) && own && shared && own->graced == graced)
        result = sleep_until(conn, atomic_load(&shared->shaker), until, next);
    undo_end(&undo);
    pending_awake(conn);
    return result;
}

int pending_gone(int fd, bool may_pass)
{
    return may_pass && !fdtable_get(fd) ? 1 : -EBADF;
}

static int wait_until(struct conn *conn, int fd, bool until_grace, int64_t until)
{
    bool may_pass = conn->may_pass;
    if (!fdtable_is(fd, conn)) /* before anything was done: as if it had been looked up now */
        return pending_gone(fd, true);
    for (;;) {
        enum pending_result result = pending_drive(conn);
        const struct pending *p;
        if (!fdtable_is(fd, conn))
            return pending_gone(fd, may_pass);
        if (result == PENDING_DONE)
            return 0;
        if (result == PENDING_FAILED)
            return -conn->error;
        p = conn->pending;
        if (until_grace && p && p->graced)
            return 0;
        if (atomic_load(&pending_count) > 1)
            pending_drive_others(conn);
        if (until && clock_ms() >= until)
            return until_grace ? -EINPROGRESS : -EAGAIN;
        if (wait_once(conn, until, p && p->graced) < 0 && errno == EINTR && !handlers_restart())
            return -EINTR;
    }
}

int pending_wait(struct conn *conn, int fd, bool until_grace)
{
    int64_t limit = own_timeout_ms(fd, until_grace);
    return wait_until(conn, fd, until_grace, limit ? clock_ms() + limit : 0);
}

/* 0: another thread has settled it. */
static int64_t patience_ms(struct conn *conn)
{
    struct quiet quiet;
    const struct pending *p;
    int64_t ms = 0;
    if (!steps_enter(conn, &quiet)) /* or the service might be another connection's, or gone */
        return 0;
    p = conn->pending;
    if (p && !p->inbound)
        ms = 4 * p->dial.service->handshake_grace_ms;
    steps_leave(conn, &quiet);
    return ms;
}

int pending_wait_patiently(struct conn *conn, int fd)
{
    int64_t ms = patience_ms(conn);
    return wait_until(conn, fd, false, clock_ms() + (ms > 0 ? ms : 1));
}
