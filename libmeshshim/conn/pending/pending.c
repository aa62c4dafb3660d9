/* Pending connections: the list of them, and how one begins. See pending.h. */
#include "conn/pending/pending.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>

#include "base/banned.h"
#include "base/clock.h"
#include "base/libc.h"
#include "base/process.h"
#include "conn/pending/driver.h"
#include "conn/pending/pending_parts.h"
#include "conn/pending/readiness.h"
#include "tls/identity.h"
#include "tls/record.h"

_Atomic int pending_count;

static struct pending *first;
static struct lock list_lock;

/* Quietly: a handler that begins or ends a connection must not find the list half changed by the thread that it interrupted. */
void pending_list_take(struct quiet *quiet)
{
    quiet_begin(quiet);
    lock_take(&list_lock);
}

void pending_list_give(const struct quiet *quiet)
{
    lock_release(&list_lock);
    quiet_end(quiet);
}

static void link_in(struct pending *p)
{
    struct quiet quiet;
    pending_list_take(&quiet);
    p->next = first;
    p->previous = NULL;
    if (first)
        first->previous = p;
    first = p;
    pending_list_give(&quiet);
    atomic_fetch_add(&pending_count, 1);
}

static void link_out(struct pending *p)
{
    struct quiet quiet;
    pending_list_take(&quiet);
    if (p->previous)
        p->previous->next = p->next;
    else
        first = p->next;
    if (p->next)
        p->next->previous = p->previous;
    pending_list_give(&quiet);
    atomic_fetch_sub(&pending_count, 1);
}

/* Up to `most` pending connections, for a loop that drives them without holding the list. */
int pending_list(struct conn **all, int most)
{
    struct quiet quiet;
    int n = 0;
    pending_list_take(&quiet);
    for (struct pending *p = first; p && n < most; p = p->next)
        if (!p->inherited)
            all[n++] = p->conn;
    pending_list_give(&quiet);
    return n;
}

bool pending_is_owed(const struct pending *p)
{
    return atomic_load(&p->owed);
}

/* In this order: a driver that is about to end looks once more, and sees it. */
bool pending_owe(struct pending *p)
{
    bool before = atomic_exchange(&p->owed, true);
    if (driver_start())
        return true;
    atomic_store(&p->owed, before);
    return false;
}

/* Those that have had no turn yet, out of a round of all. */
static int list_round(struct conn **all, int most)
{
    int n = 0;
    for (struct pending *p = first; p && n < most; p = p->next) {
        if (!pending_is_owed(p) || p->had_turn)
            continue;
        p->had_turn = true;
        all[n++] = p->conn;
    }
    return n;
}

int pending_list_owed(struct conn **all, int most)
{
    struct quiet quiet;
    int n;
    pending_list_take(&quiet);
    n = list_round(all, most);
    if (n < most) { /* the next round begins */
        for (struct pending *p = first; p; p = p->next)
            p->had_turn = false;
        if (n == 0)
            n = list_round(all, most);
    }
    pending_list_give(&quiet);
    return n;
}

static bool has_owed(bool wordless)
{
    struct quiet quiet;
    bool any = false;
    pending_list_take(&quiet);
    for (const struct pending *p = first; p && !any; p = p->next)
        any = pending_is_owed(p) && (wordless || !atomic_load(&p->wordless));
    pending_list_give(&quiet);
    return any;
}

bool pending_has_owed(void)
{
    return has_owed(true);
}

bool pending_has_said(void)
{
    return has_owed(false);
}

/*
 * Never given back to the allocator: a thread that waits looks at another thread's pending connection without its lock, and
 * may see one that has just ended, but never freed memory.
 */
static struct pending *spare;

struct pending *pending_new(void)
{
    struct quiet quiet;
    struct pending *p;
    pending_list_take(&quiet);
    p = spare;
    if (p)
        spare = p->next;
    pending_list_give(&quiet);
    if (!p)
        return calloc(1, sizeof *p);
    memset(p, 0, sizeof *p);
    return p;
}

void pending_discard(struct pending *p)
{
    struct quiet quiet;
    if (!p)
        return;
    quiet_begin(&quiet);
    handshake_free(p->handshake);
    if (p->early)
        explicit_bzero(p->early, p->early_length);
    free(p->early);
    p->early = NULL;
    identity_unref(p->identity);
    snapshot_unref(p->snapshot);
    free(p->dial.tried);
    buf_free(&p->dial.history);
    p->handshake = NULL;
    lock_take(&list_lock);
    p->next = spare;
    spare = p;
    lock_release(&list_lock);
    quiet_end(&quiet);
}

/* Out of the list, off the connection; the steps lock is held. */
struct pending *pending_detach(struct conn *conn)
{
    struct pending *p = conn->pending;
    conn->pending = NULL;
    if (p)
        link_out(p);
    return p;
}

void pending_address_text(const struct sockaddr *address, char *text, size_t room)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)address;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(text, room, "%s:%u", host, ntohs(in->sin_port));
    } else {
        const struct sockaddr_in6 *in6 = (const void *)address;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(text, room, "[%s]:%u", host, ntohs(in6->sin6_port));
    }
}

void pending_begin(struct conn *conn, struct pending *p)
{
    p->conn = conn;
    p->held = true;
    conn->pending = p;
    conn->may_pass = p->inbound && p->inbound->mtls == MTLS_PERMISSIVE;
    if (atomic_load(&conn->shared->shaker) == 0)
        atomic_store(&conn->shared->failed, 0); /* of an earlier try on the same socket */
    conn->shared->inbound = p->inbound != NULL;
    conn->shared->tolerate_truncation =
        p->inbound ? p->inbound->tolerate_truncation : p->dial.service->tolerate_truncation;
    link_in(p);
    readiness_hide(conn);
    readiness_arm(p->deadline_ms);
    if (p->grace_ms)
        readiness_arm(p->grace_ms);
}
int64_t pending_next_event(const struct pending *p)
{
    int64_t next = p->deadline_ms;
    if (p->grace_ms && p->grace_ms < next)
        next = p->grace_ms;
    if (p->dial.retry_ms && p->dial.retry_ms < next)
        next = p->dial.retry_ms;
    if (p->look_ms && p->look_ms < next)
        next = p->look_ms;
    return next;
}

int pending_due(struct conn **due, int most, int64_t now, int64_t *next)
{
    struct quiet quiet;
    int n = 0;
    *next = 0;
    pending_list_take(&quiet);
    for (struct pending *p = first; p; p = p->next) {
        int64_t when = pending_next_event(p);
        if (p->inherited)
            continue;
        if (when <= now && n < most)
            due[n++] = p->conn;
        else if (*next == 0 || when < *next)
            *next = when;
    }
    pending_list_give(&quiet);
    return n;
}

short pending_wants(const struct conn *conn)
{
    const struct pending *p = conn->pending;
    if (conn_state(conn) == CONN_CONNECTING)
        return p && p->dial.retry_ms ? 0 : POLLOUT;
    return p && p->wants_write ? POLLOUT : POLLIN;
}

void pending_wants_to_speak(struct conn *conn)
{
    struct quiet quiet;
    struct pending *p;
    if (!steps_enter(conn, &quiet))
        return;
    p = conn->pending;
    if (p && p->inbound && p->inbound->mtls == MTLS_PERMISSIVE && conn_state(conn) == CONN_ARRIVED &&
        !p->grace_ms) {
        p->grace_ms = clock_ms() + p->inbound->handshake_grace_ms;
        readiness_arm(p->grace_ms);
    }
    steps_leave(conn, &quiet);
}

/* On a permissive port nobody knows yet whether the bytes are to be protected. */
static bool speaks_early(const struct pending *p)
{
    return p->inbound ? p->inbound->mtls == MTLS_STRICT : p->graced;
}

/*
 * A record's worth at least, and up to what the kernel would take of a first write: half of the send buffer, whose other half is for its own
 * book-keeping. All of it must fit when it goes out, in one go.
 */
static bool has_early_room(struct pending *p)
{
    enum { MOST_EARLY = 256 * 1024 };
    int size = 0;
    socklen_t length = sizeof size;
    if (p->early)
        return p->early_length < p->early_room;
    libc.getsockopt(atomic_load(&p->conn->fd), SOL_SOCKET, SO_SNDBUF, &size, &length);
    size /= 2;
    if (size > MOST_EARLY)
        size = MOST_EARLY;
    p->early_room = size < RECORD_PLAINTEXT ? RECORD_PLAINTEXT : (uint32_t)size;
    p->early = malloc(p->early_room);
    return p->early != NULL;
}

size_t pending_keep_early(struct conn *conn, struct iov *in)
{
    struct quiet quiet;
    struct pending *p;
    size_t n = 0;
    if (!steps_enter(conn, &quiet))
        return 0;
    p = conn->pending;
    if (p && in->left && speaks_early(p) && conn_is_pending(conn) && has_early_room(p) && pending_owe(p)) {
        while (in->left && p->early_length < p->early_room) {
            struct iovec span = iov_span(in, p->early_room - p->early_length);
            memcpy(p->early + p->early_length, span.iov_base, span.iov_len);
            p->early_length += (uint32_t)span.iov_len;
            n += span.iov_len;
            iov_advance(in, span.iov_len);
        }
        if (n && !p->held) { /* it waits for an answer now: not to be woken by the handshake's own bytes */
            p->held = true;
            readiness_hide(conn);
        }
    }
    steps_leave(conn, &quiet);
    return n;
}

bool pending_is_writable(const struct conn *conn)
{
    const struct pending *p = conn->pending;
    return p && p->graced && !p->full && conn_is_pending(conn);
}

void pending_hold(struct conn *conn, bool sending)
{
    struct pending *p;
    struct quiet quiet;
    if (!steps_enter(conn, &quiet))
        return;
    p = conn->pending;
    if (p && (!p->held || (sending && !p->full))) {
        p->held = true;
        p->full |= sending;
        readiness_hide(conn);
    }
    steps_leave(conn, &quiet);
}

void pending_await(struct conn *conn)
{
    struct quiet quiet;
    if (!steps_enter(conn, &quiet)) /* whoever drives it now is waited for */
        return;
    atomic_fetch_add(&conn->sleepers, 1);
    steps_leave(conn, &quiet);
    if (atomic_load(&conn->closing))
        conn_settle(conn);
}

/* Not below 0: it may have been closed and be another connection by now, or the child of a fork has forgotten its parent's threads. */
void pending_awake(void *awaited)
{
    struct conn *conn = awaited;
    int n = atomic_load(&conn->sleepers);
    while (n > 0 && !atomic_compare_exchange_weak(&conn->sleepers, &n, n - 1))
        ;
}

void pending_leave(struct conn *conn, int fd)
{
    struct quiet quiet;
    if (conn->registration_count == 0 || !steps_enter(conn, &quiet))
        return;
    readiness_leave(conn, fd, atomic_load(&conn->fd));
    steps_leave(conn, &quiet);
}

void pending_send(struct conn *conn)
{
    struct quiet quiet;
    struct pending *p;
    if (!conn_is_pending(conn) || pending_drive(conn) != PENDING_WAITS || !steps_enter(conn, &quiet))
        return;
    p = conn->pending;
    if (p && conn_state(conn) == CONN_SHAKING && atomic_load(&conn->shared->shaker) == process_id())
        pending_owe(p);
    steps_leave(conn, &quiet);
}

bool pending_try_no_more(struct conn *conn)
{
    struct quiet quiet;
    struct pending *p;
    bool between = false;
    if (!steps_enter(conn, &quiet))
        return false;
    p = conn->pending;
    if (p && conn_state(conn) == CONN_CONNECTING) {
        p->dial.attempts = p->dial.attempt;
        between = p->dial.retry_ms != 0;
        if (between)
            pending_fail(conn, FAILURE_CONNECT, ECONNRESET, "the program shut it down");
    }
    steps_leave(conn, &quiet);
    return between;
}

bool pending_dialled(struct conn *conn, struct dialled *dialled)
{
    struct quiet quiet;
    const struct pending *p;
    bool elsewhere;
    if (!steps_enter(conn, &quiet))
        return false;
    p = conn->pending;
    elsewhere = p && !p->inbound && p->dial.service->endpoint_count && p->dial.dialled.length;
    if (elsewhere)
        *dialled = p->dial.dialled;
    steps_leave(conn, &quiet);
    return elsewhere;
}

/* The last step takes it out of the list first, and goes on. */
bool pending_has_steps(const struct conn *conn)
{
    return conn->pending || atomic_load(&conn->steps.word);
}

void pending_abandon(struct conn *conn)
{
    struct quiet quiet;
    struct pending *p;
    if (!pending_has_steps(conn) || !steps_enter(conn, &quiet))
        return;
    p = pending_detach(conn);
    if (p && atomic_load(&conn->shared->shaker) == process_id())
        atomic_store(&conn->shared->failed,
                     ECONNRESET); /* whoever else has it cannot go on with the handshake */
    steps_leave(conn, &quiet);
    if (p)
        pending_discard(p);
}

void pending_after_fork_in_parent(bool may_begin_thread)
{
    struct quiet quiet;
    bool any = false;
    if (atomic_load(&pending_count) == 0)
        return;
    pending_list_take(&quiet);
    for (struct pending *p = first; p; p = p->next) {
        if (conn_state(p->conn) != CONN_SHAKING || atomic_load(&p->conn->shared->shaker) != process_id())
            continue;
        atomic_store(&p->owed, true);
        any = true;
    }
    pending_list_give(&quiet);
    if (any && may_begin_thread)
        driver_start();
    else if (any)
        driver_wake();
}

void pending_after_fork(void)
{
    list_lock = (struct lock){ 0 };
    for (struct pending *p = first; p; p = p->next) {
        atomic_store(&p->conn->sleepers, 0);
        if (p->early)
            explicit_bzero(p->early, p->early_length);
        p->early_length = 0; /* the parent sends it, */
        p->owed = false;     /* and goes on with the handshake */
        p->inherited = true;
        /* A thread that is not here was in the middle of it: such a copy cannot even be freed. */
        if (atomic_load(&p->conn->steps.word))
            p->handshake = NULL;
    }
}
