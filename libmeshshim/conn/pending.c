/* See pending.h. */
#include "conn/pending.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/clock.h"
#include "base/libc.h"
#include "base/log.h"
#include "conn/dial.h"
#include "conn/fdtable.h"
#include "conn/readiness.h"
#include "conn/stream.h"
#include "tls/clienthello.h"
#include "tls/identity.h"

_Atomic int pending_count;

static struct pending *first;
static struct lock list_lock;

/* ---- the list ---- */

static void link_in(struct pending *p)
{
    lock_take(&list_lock);
    p->next = first;
    p->previous = NULL;
    if (first)
        first->previous = p;
    first = p;
    lock_release(&list_lock);
    atomic_fetch_add(&pending_count, 1);
}

static void link_out(struct pending *p)
{
    lock_take(&list_lock);
    if (p->previous)
        p->previous->next = p->next;
    else
        first = p->next;
    if (p->next)
        p->next->previous = p->previous;
    lock_release(&list_lock);
    atomic_fetch_sub(&pending_count, 1);
}

/* Up to `most` pending connections, for a loop that drives them without holding the list. */
static int list_all(struct conn **all, int most)
{
    int n = 0;
    lock_take(&list_lock);
    for (struct pending *p = first; p && n < most; p = p->next)
        all[n++] = p->conn;
    lock_release(&list_lock);
    return n;
}

/*
 * Never given back to the allocator: a thread that waits looks at another thread's pending connection without its lock, and
 * may see one that has just ended, but never freed memory.
 */
static struct pending *spare;

struct pending *pending_new(void)
{
    struct pending *p;
    lock_take(&list_lock);
    p = spare;
    if (p)
        spare = p->next;
    lock_release(&list_lock);
    if (!p)
        return calloc(1, sizeof *p);
    memset(p, 0, sizeof *p);
    return p;
}

void pending_discard(struct pending *p)
{
    if (!p)
        return;
    handshake_free(p->handshake);
    identity_unref(p->identity);
    snapshot_unref(p->snapshot);
    free(p->dial.tried);
    buf_free(&p->dial.history);
    p->handshake = NULL;
    lock_take(&list_lock);
    p->next = spare;
    spare = p;
    lock_release(&list_lock);
}

/* Out of the list, off the connection; the steps lock is held. */
static struct pending *detach(struct conn *conn)
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
    conn->shared->inbound = p->inbound != NULL;
    conn->shared->tolerate_truncation =
        p->inbound ? p->inbound->tolerate_truncation : p->dial.service->tolerate_truncation;
    link_in(p);
    readiness_hide(conn);
    readiness_arm(p->deadline_ms);
    if (p->grace_ms)
        readiness_arm(p->grace_ms);
}

/* ---- how it ends ---- */

static void series_name(const struct pending *p, char *name, size_t room)
{
    if (p->inbound)
        snprintf(name, room, "inbound:%u", p->conn->port);
    else
        snprintf(name, room, "%s", p->dial.service->name);
}

static struct series *series_of(const struct pending *p, const char *peer, enum stats_security security)
{
    char name[128];
    series_name(p, name, sizeof name);
    return stats_series(p->inbound ? STATS_INBOUND : STATS_OUTBOUND, name, peer, security);
}

static void say_failure(const struct pending *p, enum stats_failure reason, const char *text)
{
    char name[128];
    series_name(p, name, sizeof name);
    if (p->inbound)
        log_warn("%s: connection from %s refused: %s", name, p->peer_text, text);
    else if (reason == FAILURE_CONNECT)
        log_warn("service %s: no endpoint is left: %s%s", name, buf_text(&p->dial.history), text);
    else
        log_error("service %s: connection to %s refused: %s", name, p->peer_text, text);
}

void pending_fail(struct conn *conn, enum stats_failure reason, int error, const char *text)
{
    struct pending *p = detach(conn);
    struct counters *counters;
    if (!p)
        return;
    if (text) {
        counters = stats_counters(series_of(p, p->handshake ? handshake_peer_id(p->handshake) : "", STATS_MUTUAL_TLS));
        atomic_fetch_add_explicit(&counters->failed[reason], 1, memory_order_relaxed);
        say_failure(p, reason, text);
    }
    conn->error = error;
    conn->so_error = p->inbound || p->graced ? 0 : error;
    atomic_store_explicit(&conn->state, CONN_FAILED, memory_order_release);
    if (reason != FAILURE_CONNECT) /* there, the kernel has its own end, and its own error to tell */
        libc.shutdown(atomic_load(&conn->fd), SHUT_RDWR);
    readiness_show(conn);
    pending_discard(p);
}

static void note_nagle(struct conn *conn)
{
    int on = 1;
    socklen_t length = sizeof on;
    if (libc.getsockopt(atomic_load(&conn->fd), IPPROTO_TCP, TCP_NODELAY, &on, &length) == 0)
        conn->shared->tx.nagle = !on;
}

/* The keys are in shared memory: whoever has the description may use it from here on. */
static void open_up(struct conn *conn, const char *peer)
{
    struct pending *p = conn->pending;
    char name[128];
    series_name(p, name, sizeof name);
    conn->peer_id = *peer ? strdup(peer) : NULL;
    conn->service = strdup(name);
    conn->opened_ms = clock_ms();
    conn->series = series_of(p, peer, STATS_MUTUAL_TLS);
    conn->counters = stats_counters(conn->series);
    if (*peer)
        stats_connection_opened(conn->series);
    else
        conn->series = NULL; /* the process that made the handshake counts the connection */
    if (!p->inbound && p->dial.service->endpoint_count) {
        conn->snapshot = snapshot_ref(p->snapshot);
        conn->endpoint = &p->dial.service->endpoints[p->dial.at];
        atomic_fetch_add(&conn->endpoint->active, 1);
        conn->dialled = malloc(sizeof *conn->dialled);
        if (conn->dialled)
            *conn->dialled = p->dial.dialled;
    }
    detach(conn);
    atomic_store_explicit(&conn->state, CONN_OPEN, memory_order_release);
    if (p->shut_write) {
        stream_finish(conn, atomic_load(&conn->fd));
        libc.shutdown(atomic_load(&conn->fd), SHUT_WR);
    }
    readiness_show(conn);
    pending_discard(p);
}

static enum pending_result finish(struct conn *conn)
{
    struct pending *p = conn->pending;
    struct shared *shared = conn->shared;
    char peer[256];
    if (!handshake_keys(p->handshake, &shared->tx.keys, &shared->rx.keys)) {
        pending_fail(conn, FAILURE_PROTOCOL, ECONNRESET, "its keys could not be derived (out of memory)");
        return PENDING_FAILED;
    }
    if (!p->inbound)
        note_nagle(conn);
    snprintf(peer, sizeof peer, "%s", handshake_peer_id(p->handshake));
    atomic_store_explicit(&shared->established, 1, memory_order_release);
    {
        int64_t took = clock_ns() - p->shaking_ns, connected = 0;
        log_debug("%s %s: %s proved to be %s in %lld us", p->inbound ? "inbound" : p->dial.service->name, p->peer_text,
                  p->inbound ? "the client" : "the server", peer, (long long)(took / 1000));
        if (!p->inbound)
            connected = p->dial.connect_ns;
        open_up(conn, peer);
        if (connected)
            histogram_record(&conn->counters->latency[LATENCY_CONNECT], (uint64_t)connected);
        histogram_record(&conn->counters->latency[LATENCY_HANDSHAKE], (uint64_t)took);
    }
    return PENDING_DONE;
}

/* Not for us after all: the program gets its socket back as it is. */
static enum pending_result let_pass(struct conn *conn)
{
    struct pending *p = detach(conn);
    stats_connection_opened(series_of(p, "", STATS_NONE));
    stats_connection_closed(series_of(p, "", STATS_NONE));
    readiness_show(conn);
    pending_discard(p);
    conn_forget(conn);
    return PENDING_PLAIN;
}

/* ---- steps ---- */

/* A failure that another endpoint may not have. */
static enum pending_result fail_or_retry(struct conn *conn, const struct handshake_fault *fault)
{
    struct pending *p = conn->pending;
    if (!p->inbound && !p->graced && dial_again(conn, fault->reason, fault->error, fault->text))
        return PENDING_WAITS;
    if (!p->inbound && fault->error == ECONNRESET && !p->graced) {
        pending_fail(conn, fault->reason, ECONNREFUSED, fault->text);
        return PENDING_FAILED;
    }
    pending_fail(conn, fault->reason, fault->error, p->inbound && fault->silent ? NULL : fault->text);
    return PENDING_FAILED;
}

/* Connect succeeds in the program's eyes; the proof is completed before its first byte. */
static void grant_grace(struct conn *conn)
{
    struct pending *p = conn->pending;
    p->grace_ms = 0;
    p->graced = true;
    p->held = false;
    readiness_show(conn);
}

static enum pending_result shake(struct conn *conn)
{
    struct pending *p = conn->pending;
    enum handshake_status status = handshake_step(p->handshake, atomic_load(&conn->fd));
    if (status == HANDSHAKE_DONE)
        return finish(conn);
    if (status == HANDSHAKE_FAILED) {
        struct handshake_fault fault = *handshake_fault(p->handshake);
        return fail_or_retry(conn, &fault);
    }
    if (handshake_peer_spoke(p->handshake))
        p->grace_ms = 0; /* it answers: its proof is on the way */
    else if (p->is_self && !p->graced)
        grant_grace(conn); /* it cannot answer before this very process calls accept */
    if (p->wants_write != (status == HANDSHAKE_WANTS_WRITE)) {
        p->wants_write = status == HANDSHAKE_WANTS_WRITE;
        readiness_hide(conn);
    }
    return PENDING_WAITS;
}

static enum pending_result begin_shaking(struct conn *conn)
{
    struct pending *p = conn->pending;
    struct handshake_terms terms = {
        .identity = p->identity,
        .is_server = p->inbound != NULL,
        .server_name = p->inbound || !p->dial.name[0] ? NULL : p->dial.name,
        .trust_domain = snapshot_workload(p->snapshot)->trust_domain,
        .wanted = p->inbound ? &p->inbound->allow : &p->dial.service->identity,
    };
    pid_t nobody = 0;
    if (!atomic_compare_exchange_strong(&conn->shared->shaker, &nobody, getpid()) && nobody != getpid())
        return PENDING_WAITS; /* another process of this family does it */
    handshake_free(p->handshake);
    p->handshake = handshake_new(&terms);
    if (!p->handshake) {
        pending_fail(conn, FAILURE_PROTOCOL, ENOBUFS, "out of memory");
        return PENDING_FAILED;
    }
    p->shaking_ns = clock_ns();
    p->wants_write = false;
    if (!p->inbound) {
        int64_t now = p->shaking_ns / 1000000;
        p->deadline_ms = now + p->dial.service->handshake_timeout_ms;
        p->grace_ms = p->graced ? 0 : now + p->dial.service->handshake_grace_ms;
        readiness_arm(p->grace_ms ? p->grace_ms : p->deadline_ms);
    }
    atomic_store(&conn->state, CONN_SHAKING);
    return shake(conn);
}

enum { LOOK = 2048 };

/* An accepted connection: nothing is built for a client that says nothing. */
static enum pending_result hear(struct conn *conn)
{
    struct pending *p = conn->pending;
    uint8_t look[LOOK];
    size_t ask = p->inbound->mtls == MTLS_PERMISSIVE ? sizeof look : 1;
    ssize_t n = libc.recv(atomic_load(&conn->fd), look, ask, MSG_PEEK | MSG_DONTWAIT);
    struct handshake_fault silent = { FAILURE_PROTOCOL, 0, true, "" };
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return PENDING_WAITS;
    if (n <= 0) {
        silent.error = n < 0 ? errno : 0;
        if (p->inbound->mtls == MTLS_PERMISSIVE)
            return let_pass(conn);
        pending_fail(conn, silent.reason, silent.error, NULL);
        return PENDING_FAILED;
    }
    if (p->inbound->mtls == MTLS_STRICT)
        return begin_shaking(conn);
    switch (hello_classify(look, (size_t)n)) {
    case HELLO_OURS:
        return begin_shaking(conn);
    case HELLO_PARTIAL:
        return n < LOOK ? PENDING_WAITS : begin_shaking(conn);
    default:
        return let_pass(conn);
    }
}

static enum pending_result step(struct conn *conn)
{
    switch (conn_state(conn)) {
    case CONN_CONNECTING:
        return dial_step(conn) ? begin_shaking(conn) : conn->pending ? PENDING_WAITS : PENDING_FAILED;
    case CONN_ARRIVED:
        return hear(conn);
    case CONN_SHAKING:
        return shake(conn);
    case CONN_OPEN:
        return PENDING_DONE;
    case CONN_FAILED:
    case CONN_FRESH: /* given up */
        return PENDING_FAILED;
    default:
        return PENDING_PLAIN;
    }
}

/* Another process of the family has finished the handshake: its keys are ours too. */
static bool adopt(struct conn *conn)
{
    if (!conn->pending || !atomic_load_explicit(&conn->shared->established, memory_order_acquire))
        return false;
    open_up(conn, "");
    return true;
}

enum pending_result pending_drive(struct conn *conn)
{
    enum pending_result result;
    if (lock_take(&conn->steps) == LOCK_MINE)
        return PENDING_WAITS;
    result = adopt(conn) ? PENDING_DONE : step(conn);
    lock_release(&conn->steps);
    if (result == PENDING_PLAIN || atomic_load(&conn->closing))
        conn_settle(conn);
    return result;
}

void pending_drive_others(struct conn *except)
{
    enum { MOST = 64 };
    struct conn *all[MOST];
    int n = list_all(all, MOST);
    for (int i = 0; i < n; i++) {
        if (all[i] == except || lock_try(&all[i]->steps) != LOCK_TAKEN)
            continue;
        if (conn_is_pending(all[i]) && !adopt(all[i]))
            step(all[i]);
        lock_release(&all[i]->steps);
        if (atomic_load(&all[i]->closing))
            conn_settle(all[i]);
    }
}

short pending_wants(const struct conn *conn)
{
    const struct pending *p = conn->pending;
    if (conn_state(conn) == CONN_CONNECTING)
        return p && p->dial.retry_ms ? 0 : POLLOUT;
    return p && p->wants_write ? POLLOUT : POLLIN;
}

/* ---- time ---- */

/* The steps lock is held. */
static void expire_one(struct conn *conn, int64_t now)
{
    struct pending *p = conn->pending;
    struct handshake_fault late = { FAILURE_TIMEOUT, ETIMEDOUT, false, "" };
    if (adopt(conn))
        return;
    if (p->dial.retry_ms && now >= p->dial.retry_ms) {
        dial_now(conn);
        return;
    }
    if (p->grace_ms && now >= p->grace_ms) {
        if (p->inbound) { /* permissive, and the program wants to speak first to a silent client: plain text */
            let_pass(conn);
            return;
        }
        grant_grace(conn);
    }
    if (now < p->deadline_ms)
        return;
    if (atomic_load(&conn->shared->shaker) != 0 && atomic_load(&conn->shared->shaker) != getpid()) {
        p->deadline_ms = now + 1000;
        return; /* another process has it in hand */
    }
    if (conn_state(conn) == CONN_CONNECTING)
        snprintf(late.text, sizeof late.text, "no answer within connect_timeout (%lld ms)",
                 (long long)p->dial.service->connect_timeout_ms);
    else
        snprintf(late.text, sizeof late.text, "the handshake took longer than handshake_timeout (%lld ms)%s",
                 (long long)(p->inbound ? p->inbound->handshake_timeout_ms : p->dial.service->handshake_timeout_ms),
                 conn_state(conn) == CONN_ARRIVED ? "; the client said nothing" : "");
    fail_or_retry(conn, &late);
}

static int64_t next_event(const struct pending *p)
{
    int64_t next = p->deadline_ms;
    if (p->grace_ms && p->grace_ms < next)
        next = p->grace_ms;
    if (p->dial.retry_ms && p->dial.retry_ms < next)
        next = p->dial.retry_ms;
    return next;
}

int64_t pending_expire(int64_t now)
{
    enum { MOST = 256 };
    struct conn *due[MOST];
    int64_t next = 0;
    int n = 0;
    lock_take(&list_lock);
    for (struct pending *p = first; p; p = p->next) {
        int64_t when = next_event(p);
        if (when <= now && n < MOST)
            due[n++] = p->conn;
        else if (next == 0 || when < next)
            next = when;
    }
    lock_release(&list_lock);
    for (int i = 0; i < n; i++) {
        if (lock_try(&due[i]->steps) == LOCK_TAKEN) {
            if (conn_is_pending(due[i]))
                expire_one(due[i], now);
            if (due[i]->pending) {
                int64_t when = next_event(due[i]->pending);
                if (next == 0 || when < next)
                    next = when;
            }
            lock_release(&due[i]->steps);
        }
        if (atomic_load(&due[i]->closing))
            conn_settle(due[i]);
    }
    if (n == MOST && (next == 0 || next > now + 1))
        next = now + 1;
    return next;
}

/* ---- waiting, for blocking calls ---- */

/* poll(2) never restarts; whether the program expects a restart is what its handlers say. */
static bool handlers_restart(void)
{
    for (int i = 1; i < 32; i++) {
        struct sigaction action;
        if (sigaction(i, NULL, &action) == 0 && action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN &&
            !(action.sa_flags & SA_RESTART))
            return false;
    }
    return true;
}

static int64_t own_timeout_ms(int fd, bool connecting)
{
    struct timeval limit = { 0, 0 };
    socklen_t length = sizeof limit;
    if (libc.getsockopt(fd, SOL_SOCKET, connecting ? SO_SNDTIMEO : SO_RCVTIMEO, &limit, &length) != 0)
        return 0;
    return (int64_t)limit.tv_sec * 1000 + limit.tv_usec / 1000;
}

static int wait_once(struct conn *conn, int64_t until)
{
    enum { MOST = 64 };
    struct conn *all[MOST];
    struct pollfd fds[MOST];
    int64_t now = clock_ms(), next = pending_expire(now), left;
    int n = list_all(all, MOST);
    bool foreign = atomic_load(&conn->shared->shaker) != 0 && atomic_load(&conn->shared->shaker) != getpid();
    for (int i = 0; i < n; i++)
        fds[i] = (struct pollfd){ atomic_load(&all[i]->fd), pending_wants(all[i]), 0 };
    if (until && (next == 0 || until < next))
        next = until;
    left = next == 0 ? 1000 : next > now ? next - now : 0;
    if (foreign && left > 5)
        left = 5; /* its progress shows in shared memory alone */
    return libc.poll(fds, (nfds_t)n, (int)(left > 1000 ? 1000 : left));
}

int pending_wait(struct conn *conn, int fd, bool until_grace)
{
    int64_t limit = own_timeout_ms(fd, until_grace), until = limit ? clock_ms() + limit : 0;
    for (;;) {
        enum pending_result result = pending_drive(conn);
        const struct pending *p;
        if (result == PENDING_DONE)
            return 0;
        if (result == PENDING_PLAIN)
            return 1;
        if (fdtable_get(fd) != conn)
            return fdtable_get(fd) ? -EBADF : 1;
        if (result == PENDING_FAILED)
            return -conn->error;
        p = conn->pending;
        if (until_grace && p && p->graced)
            return 0;
        if (atomic_load(&pending_count) > 1)
            pending_drive_others(conn);
        if (until && clock_ms() >= until)
            return until_grace ? -EINPROGRESS : -EAGAIN;
        if (wait_once(conn, until) < 0 && errno == EINTR && !handlers_restart())
            return -EINTR;
    }
}

void pending_wants_to_speak(struct conn *conn)
{
    struct pending *p;
    if (lock_take(&conn->steps) == LOCK_MINE)
        return;
    p = conn->pending;
    if (p && p->inbound && p->inbound->mtls == MTLS_PERMISSIVE && conn_state(conn) == CONN_ARRIVED && !p->grace_ms) {
        p->grace_ms = clock_ms() + p->inbound->handshake_grace_ms;
        readiness_arm(p->grace_ms);
    }
    lock_release(&conn->steps);
}

void pending_hold(struct conn *conn)
{
    if (lock_take(&conn->steps) == LOCK_MINE)
        return;
    if (conn->pending && !conn->pending->held) {
        conn->pending->held = true;
        readiness_hide(conn);
    }
    lock_release(&conn->steps);
}

void pending_abandon(struct conn *conn)
{
    struct pending *p;
    if (!conn->pending || lock_take(&conn->steps) == LOCK_MINE)
        return;
    p = detach(conn);
    lock_release(&conn->steps);
    if (p)
        pending_discard(p);
}

void pending_after_fork(void)
{
    list_lock = (struct lock){ 0 };
}
