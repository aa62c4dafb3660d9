/* See driver.h. */
#include "conn/pending/driver.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/banned.h"
#include "base/clock.h"
#include "base/libc.h"
#include "base/log.h"
#include "base/process.h"
#include "base/quiet.h"
#include "base/thread.h"
#include "conn/fdtable.h"
#include "conn/ownfd.h"
#include "conn/pending/pending_parts.h"
#include "conn/pending/readiness.h"

enum {
    MOST = 64,
    PATIENCE_MS = 20, /* the program's own waits come first */
    LINGER_MS = 2000, /* the thread stays a little for the next */
    PARTING_MS = 200, /* what the process' end waits for peers that are slow to prove themselves */
    ORPHANS = 24      /* of the descriptors that may be our own (ownfd.h) */
};

/* Closed by the program; `fd` is ours. */
struct orphan {
    struct conn *_Atomic conn; /* NULL: nobody is here */
    int fd;
};
static struct orphan orphans[ORPHANS];
static struct lock orphans_lock;

static _Atomic bool running;
static _Atomic uint32_t calls; /* the thread sleeps on it */

/* Unless somebody has called since `calls` was `seen`. */
static void sleep_ms(int ms, uint32_t seen)
{
    const struct timespec patience = { ms / 1000, ms % 1000 * 1000000L };
    libc.syscall(SYS_futex, (long)&calls, FUTEX_WAIT_PRIVATE, (long)seen, (long)&patience, 0, 0);
}

static void end_orphan(struct conn *conn, int fd)
{
    bool left = conn_leave(conn, fd); /* says goodbye, where the handshake was done */
    ownfd_drop(fd);
    if (left)
        conn_left(conn, fd, NULL);
}

/* (One that turned out to be plain text leads nowhere any more, and the object may be another's.) */
static bool is_settled(const struct conn *conn, int fd)
{
    return !fdtable_is(fd, conn) || !conn_is_pending(conn);
}

static bool has_orphans(void)
{
    for (int i = 0; i < ORPHANS; i++)
        if (atomic_load(&orphans[i].conn))
            return true;
    return false;
}

/* The next that is to end, out of the list. */
static struct conn *take_settled(bool all, int *fd)
{
    struct conn *taken = NULL;
    if (lock_take(&orphans_lock) == LOCK_MINE)
        return NULL;
    for (int i = 0; i < ORPHANS && !taken; i++) {
        struct conn *conn = atomic_load(&orphans[i].conn);
        *fd = orphans[i].fd;
        if (conn && (all || is_settled(conn, *fd))) {
            atomic_store(&orphans[i].conn, NULL);
            taken = conn;
        }
    }
    lock_release(&orphans_lock);
    return taken;
}

/* Without the list's lock: the end may wait for a step, and a step may be waiting for the list. */
static void end_orphans(bool all)
{
    struct quiet quiet;
    struct conn *conn;
    int fd;
    if (!has_orphans()) /* without a call: a sandbox may allow a fork, and no other */
        return;
    quiet_begin(&quiet);
    while ((conn = take_settled(all, &fd)) != NULL)
        end_orphan(conn, fd);
    quiet_end(&quiet);
}

/* One step of those whose turn it is. How many they are. */
static int drive(struct conn *all[MOST])
{
    int n;
    pending_expire(clock_ms());
    n = pending_list_owed(all, MOST);
    for (int i = 0; i < n; i++)
        if (!atomic_load(&all[i]->sleepers))
            pending_drive(all[i]);
    end_orphans(false);
    return n;
}

/* Of those that were driven: to ask for others would be their turn, without a step. */
static void wait_for_progress(struct conn *const all[], int n)
{
    struct pollfd fds[MOST];
    for (int i = 0; i < n; i++)
        fds[i] = pending_how_to_poll(all[i]);
    libc.poll(fds, (nfds_t)n, PATIENCE_MS);
}

/* (Another thread may have completed the handshake of an orphan; its end is left to this one.) */
static bool has_work(void)
{
    return pending_has_owed() || has_orphans();
}

static void *run(void *unused)
{
    struct conn *all[MOST];
    int n;
    (void)unused;
    for (;;) {
        uint32_t seen;
        sleep_ms(PATIENCE_MS, atomic_load(&calls));
        while (seen = atomic_load(&calls), (n = drive(all)) > 0)
            wait_for_progress(all, n);
        sleep_ms(LINGER_MS, seen);
        if (has_work())
            continue;
        atomic_store(&running, false);
        if (!has_work() || atomic_exchange(&running, true))
            return NULL;
    }
}

void driver_wake(void)
{
    atomic_fetch_add(&calls, 1);
    if (atomic_load(&running))
        libc.syscall(SYS_futex, (long)&calls, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}

bool driver_start(void)
{
    driver_wake();
    if (atomic_load(&running))
        return true;
    if (atomic_exchange(&running, true))
        return true;
    if (thread_start(run) == 0)
        return true;
    atomic_store(&running, false);
    return false;
}

/* The program's epoll sets forget it, as at any last close; the kernel would go on to report it. */
static bool adopt(struct conn *conn, int fd, struct orphan *orphan)
{
    int own;
    readiness_forget(conn);
    own = ownfd_copy(fd);
    if (own < 0)
        return false;
    if (!conn_add_fd(conn, own)) {
        ownfd_drop(own);
        return false;
    }
    orphan->fd = own;
    atomic_store(&orphan->conn, conn);
    return true;
}

/*
 * Is the handshake this process' to complete? Where another one has the connection too, only if it was begun here. TCP must be up: before
 * that nobody has seen anything of it.
 */
static bool is_ours(const struct conn *conn)
{
    const struct pending *p = conn->pending;
    pid_t shaker;
    if (!p || conn_state(conn) == CONN_CONNECTING || !conn_is_pending(conn))
        return false;
    if (pending_is_owed(p))
        return true;
    shaker = atomic_load(&conn->shared->shaker);
    return shaker == process_id() || (shaker == 0 && !p->inherited && !shared_is_elsewhere(conn->shared));
}

/* The program thinks that they are on their way. */
static void say_lost(const struct pending *p)
{
    if (p->early_length)
        log_error("connection %s %.63s: the %u bytes that were sent before the proof are lost, for it was "
                  "closed: no more "
                  "than %d of these are brought to their end at a time, and the others wait for their peers",
                  p->inbound ? "from" : "to", p->peer_text, p->early_length, ORPHANS);
}

/*
 * A client that is this very process has its part done here: the thread would let it wait for its patience first, and where the process has no
 * descriptor left (a server that accepts and closes whom it cannot serve) there is none to keep it open by.
 */
static bool finish_at_once(struct conn *conn)
{
    for (int flight = 0; flight < FLIGHTS && conn_is_pending(conn); flight++) {
        if (!pending_drive_selves() && flight == 0)
            break;
        pending_drive_others(conn);
        steps_take(conn);
    }
    return !conn_is_pending(conn);
}

/* (By now another thread may have duplicated it.) */
static bool keep(struct conn *conn, int fd)
{
    bool kept = false;
    if (atomic_load(&conn->fds) != 1)
        return false;
    if (conn_state(conn) == CONN_CONNECTING && conn->pending && !conn->pending->inherited)
        steps_take(conn); /* TCP may be up by now */
    if (!is_ours(conn) || finish_at_once(conn) || !pending_owe(conn->pending) ||
        lock_take(&orphans_lock) == LOCK_MINE)
        return false;
    for (int i = 0; i < ORPHANS && !kept; i++)
        kept = !atomic_load(&orphans[i].conn) && adopt(conn, fd, &orphans[i]);
    lock_release(&orphans_lock);
    if (kept)
        atomic_store(&conn->pending->wordless, conn->pending->early_length == 0);
    else
        say_lost(conn->pending);
    return kept;
}

void driver_keep(struct conn *conn, int fd)
{
    struct quiet quiet;
    bool kept;
    if (!conn_is_pending(conn) || atomic_load(&conn->fds) != 1 || !steps_enter(conn, &quiet))
        return;
    kept = keep(conn, fd);
    steps_leave(conn, &quiet);
    if (kept)
        pending_wants_to_speak(conn); /* where it may be plain text, it is not waited for long */
}

/* One step of all that the process' end waits for. How many there are. */
static int drive_parting(struct pollfd *fds)
{
    struct conn *all[MOST];
    int listed = pending_list(all, MOST), n = 0;
    for (int i = 0; i < listed; i++) {
        struct quiet quiet;
        if (!steps_enter_now(all[i], &quiet))
            continue;
        if (is_ours(all[i]) && steps_take(all[i]) == PENDING_WAITS)
            fds[n++] = pending_how_to_poll(all[i]);
        steps_leave(all[i], &quiet);
    }
    return n;
}

static void part(void)
{
    struct pollfd fds[MOST];
    int64_t until = clock_ms() + PARTING_MS, left;
    int n;
    while ((n = drive_parting(fds)) > 0 && (left = until - clock_ms()) > 0)
        libc.poll(fds, (nfds_t)n, (int)left);
}

void driver_finish(void)
{
    struct conn *all[MOST];
    int n;
    while ((n = drive(all)) > 0 && pending_has_said()) /* each has a deadline */
        wait_for_progress(all, n);
    part();
    end_orphans(true);
}

/* The same for a child that cannot give memory back: it stays as it is, and nothing leads there. Its parent has the connection. */
static void forsake(struct conn *conn, int fd)
{
    if (!fdtable_leave(fd, conn))
        return;
    pending_detach(conn);
    if (conn->shared)
        shared_leave(conn->shared);
    ownfd_drop(fd);
    fdtable_left(fd, conn);
    atomic_store(&conn->state, CONN_FREE);
}

static void forsake_orphans(void)
{
    struct conn *conn;
    int fd;
    while ((conn = take_settled(true, &fd)) != NULL)
        forsake(conn, fd);
}

void driver_after_fork(bool in_handler)
{
    atomic_store(&running, false);
    orphans_lock = (struct lock){ 0 };
    if (in_handler)
        forsake_orphans();
    else
        end_orphans(true);
}
