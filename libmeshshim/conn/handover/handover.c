/* See handover.h. */
#include "conn/handover/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/log.h"
#include "base/process.h"
#include "conn/conn.h"
#include "conn/fdtable.h"
#include "conn/openfds.h"
#include "conn/handover/adopt.h"
#include "conn/pending/pending.h"
#include "conn/family/slots.h"
#include "conn/stream/goodbye.h"
#include "conn/stream/stream.h"

struct survey {
    bool meshable, borrowed, channel, connection, refused;
};

bool handover_matters(void)
{
    return family != NULL;
}

/*
 * A handshake's state cannot be handed over, its keys can. The new image waits for one that another process is making, its parent for example;
 * but nobody would go on with the handshakes of an image that is gone.
 */
static void finish_handshake(struct conn *conn, void *context)
{
    const bool *outlived = context;
    if (conn_state(conn) == CONN_SHAKING && atomic_load(&conn->shared->shaker) == process_id() &&
        !(*outlived && conn->shared->inbound) && openfd_is_inherited(atomic_load(&conn->fd)))
        pending_wait(conn, atomic_load(&conn->fd), false);
}

static void survey_one(int fd, void *context)
{
    struct survey *found = context;
    enum openfd_kind kind = openfd_kind(fd);
    if (kind == OPENFD_OTHER || !openfd_is_inherited(fd))
        return;
    if (openfd_is_channel(kind)) {
        found->channel = true;
    } else if (shared_exists(fd)) {
        struct conn *conn = fdtable_get(fd);
        found->connection = true;
        if (!found->meshable) {
            libc.fcntl(fd, F_SETFD, FD_CLOEXEC);
            found->refused = true;
        } else if (conn && !found->borrowed) {
            conn->inherited = true;
        }
    }
}

static void hold_one(int fd, void *context)
{
    const int *slot = context;
    if (openfd_kind(fd) == OPENFD_TCP && openfd_is_inherited(fd))
        shared_add_by_fd(fd, *slot);
}

/* Keys do not go to another user: who could read the memfd, could read those of every connection of the family. */
static bool is_same_user(void)
{
    struct stat st;
    return family_fd() >= 0 && fstat(family_fd(), &st) == 0 && st.st_uid == geteuid();
}

static void pass(struct handover *h, bool wanted)
{
    h->passed = wanted && is_same_user();
    if (family_fd() >= 0)
        libc.fcntl(family_fd(), F_SETFD, h->passed ? 0 : FD_CLOEXEC);
}

/* Threads spawn at the same time, and have one memfd: it is closed for new images when the last of them is done. */
static struct lock spawning;
static int spawners;

/*
 * But they take their turns: until its id is written down, a child knows its slot only by its parent. (Not for long: a file action may wait
 * for another child.)
 */
static struct lock turn;

static void pass_spawned(struct handover *h, bool wanted)
{
    if (!wanted || !is_same_user() || lock_take(&spawning) == LOCK_MINE)
        return;
    if (spawners++ == 0)
        pass(h, true);
    h->passed = true;
    lock_release(&spawning);
}

static void passed_spawned(void)
{
    if (lock_take(&spawning) == LOCK_MINE)
        return;
    if (--spawners == 0)
        libc.fcntl(family_fd(), F_SETFD, FD_CLOEXEC);
    lock_release(&spawning);
}

void handover_after_fork(void)
{
    spawning = turn = (struct lock){ 0 };
    adopt_after_fork();
    if (spawners > 0)
        libc.fcntl(family_fd(), F_SETFD, FD_CLOEXEC);
    spawners = 0;
}

static void forget_inherited(struct conn *conn, void *unused)
{
    (void)unused;
    conn->inherited = false;
}

/*
 * Exec closes it. Where nobody else has it the peer is told, as at any close; else that is for the others, from now on: the new image will
 * not know that it was here.
 */
static void part(struct conn *conn, void *unused)
{
    (void)unused;
    if ((conn_state(conn) != CONN_OPEN && !conn_is_pending(conn)) || atomic_load(&conn->entries) == 0 ||
        conn->inherited || !atomic_load(&conn->shared->established))
        return;
    if (shared_part(conn->shared))
        conn_say_goodbye(conn, atomic_load(&conn->fd));
    else
        conn->parted = true;
}

/* Exec has failed. The others may have ended it by now. */
static void rejoin(struct conn *conn, void *unused)
{
    bool had;
    (void)unused;
    if (!conn->parted)
        return;
    conn->parted = false;
    if (shared_find(atomic_load(&conn->fd), false, &had) == conn->shared)
        return;
    pending_abandon(conn);
    conn->error = ECONNRESET;
    atomic_store(&conn->state, CONN_FAILED);
    conn->shared = NULL;
}

static void say_refused(void)
{
    log_error(
        "a program that cannot be meshed is started: it does not get the connections of the mesh, for it "
        "would write to them in the clear (meshctl check PROGRAM tells why)");
}

void handover_exec(struct handover *h, bool meshable)
{
    struct survey found = { .meshable = meshable, .borrowed = process_is_borrowed() };
    *h = (struct handover){ .borrowed = found.borrowed, .slot = -1 };
    if (!h->borrowed)
        conn_each(forget_inherited, NULL);
    if (meshable)
        conn_each(finish_handshake, &h->borrowed);
    openfds_each(survey_one, &found);
    if (found.refused)
        say_refused();
    pass(h, meshable && (found.connection || found.channel));
    if (!h->borrowed) {
        conn_each(part, NULL);
        goodbye_finish(); /* the thread that says them does not outlive this image */
    }
    if (!h->passed && (h->borrowed || !family))
        return;
    h->slot = slots_leave(h->borrowed);
    if (h->borrowed)
        openfds_each(hold_one, &h->slot);
}

void handover_stay(struct handover *h)
{
    if (h->passed)
        libc.fcntl(family_fd(), F_SETFD, FD_CLOEXEC);
    if (h->borrowed && h->slot >= 0)
        shared_bury(h->slot);
    slots_stay(h->slot, h->borrowed);
    if (!h->borrowed)
        conn_each(rejoin, NULL);
}

struct held {
    int slot;
    bool any, chosen;
    const struct carriage *carriage;
};

static void hold(struct conn *conn, struct held *held)
{
    struct shared *shared = __atomic_load_n(&conn->shared, __ATOMIC_RELAXED);
    if (!shared || atomic_load(&conn->closing) || atomic_load(&conn->fds) == 0)
        return;
    held->any = true;
    if (held->chosen)
        shared_add(shared, held->slot);
}

static void hold_carried(struct conn *conn, void *context)
{
    struct held *held = context;
    if (held->carriage->carries(held->carriage->actions, conn))
        hold(conn, held);
}

/* No more than it will get: what it only seems to have ends without a goodbye if this process closes it in the meantime. */
static void hold_all(struct held *held)
{
    int end = fdtable_end();
    for (int fd = 0; fd < end; fd++) {
        struct conn *conn = fdtable_get(fd);
        if (conn && openfd_is_inherited(fd))
            hold(conn, held);
    }
    if (held->carriage)
        conn_each(hold_carried, held);
}

static void find_channel(int fd, void *context)
{
    bool *found = context;
    *found = *found || openfd_is_channel(openfd_kind(fd));
}

/* Not for a program that cannot be meshed; given back when it is started. */
static void hide_one(int fd, void *context)
{
    struct handover *h = context;
    int *more;
    if (openfd_kind(fd) != OPENFD_TCP || !openfd_is_inherited(fd) || !shared_exists(fd))
        return;
    libc.fcntl(fd, F_SETFD, FD_CLOEXEC);
    more = realloc(h->hidden, (h->hidden_count + 1) * sizeof *more);
    if (!more)
        return;
    h->hidden = more;
    h->hidden[h->hidden_count++] = fd;
}

static void show_hidden(struct handover *h)
{
    for (size_t i = 0; i < h->hidden_count; i++)
        libc.fcntl(h->hidden[i], F_SETFD, 0);
    free(h->hidden);
}

void handover_spawn(struct handover *h, bool meshable, const struct carriage *carriage)
{
    struct held held = { .slot = -1, .carriage = carriage };
    bool channel = false, outlived = true;
    *h = (struct handover){ .slot = -1 };
    if (!family_begin()) /* what is accepted later may be sent there */
        return;
    slots_sweep(shared_bury);
    conn_each(finish_handshake, &outlived);
    hold_all(&held);
    if (!held.any)
        openfds_each(find_channel, &channel);
    pass_spawned(h, meshable && (held.any || channel));
    if (!meshable)
        openfds_each(hide_one, h);
    if (h->hidden_count)
        say_refused();
    if (!h->passed)
        return;
    if (carriage)
        lock_take_soon(&turn);
    h->slot = held.slot = slots_reserve_spawned(carriage != NULL);
    held.chosen = true;
    hold_all(&held);
}

static void give_slot(const struct handover *h, pid_t child)
{
    if (h->slot < 0)
        return;
    if (child > 0) {
        slots_born(h->slot, child);
    } else if (child < 0 && slots_retract(h->slot)) {
        shared_bury(h->slot);
        slots_release(h->slot);
    }
}

void handover_spawned(struct handover *h, pid_t child)
{
    show_hidden(h);
    if (!h->passed)
        return;
    give_slot(h, child);
    lock_give(&turn);
    passed_spawned();
}

/* ---- messages ---- */

/* The other end of `channel` is, or was when it was made, a process of the family. */
static bool is_to_family(int channel)
{
    struct ucred peer = { 0 };
    socklen_t length = sizeof peer;
    if (libc.getsockopt(channel, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || peer.pid <= 0)
        return false;
    return slots_is_member(peer.pid);
}

/* Whoever gets it may connect it, and this process go on with it, or the other way round. (A stranger shall have it for himself.) */
static int send_fresh(int channel, struct conn *conn)
{
    if (!is_to_family(channel))
        return 0;
    if (!conn_share(conn))
        return -ENOBUFS;
    shared_send(conn->shared);
    return 0;
}

int handover_send(int channel, int fd)
{
    struct conn *conn = fdtable_get(fd);
    if (conn && conn_state(conn) == CONN_FRESH)
        return send_fresh(channel, conn);
    if (!conn || conn_state(conn) < CONN_CONNECTING || !conn->shared)
        return 0;
    if (!is_to_family(channel)) {
        log_error("a connection of the mesh is not sent to a process that does not share its keys: it would "
                  "use it in "
                  "the clear (only processes that descend from one another share them)");
        return -EPERM;
    }
    pending_send(
        conn); /* a sender does not wait: the peer may only accept when the receiver has said something */
    shared_send(conn->shared);
    return 0;
}

void handover_unsend(int channel, int fd)
{
    struct conn *conn = fdtable_get(fd);
    if (conn && conn_state(conn) != CONN_LISTENING && conn->shared && is_to_family(channel))
        shared_unsend(conn->shared);
}
