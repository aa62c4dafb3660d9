/* See dial.h. */
#include "conn/pending/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>

#include "base/banned.h"
#include "base/clock.h"
#include "base/libc.h"
#include "base/log.h"
#include "conn/fdtable.h"
#include "conn/mesh.h"
#include "conn/pending/pending_parts.h"
#include "conn/pending/readiness.h"
#include "conn/stream/undo.h"
#include "policy/balance.h"
#include "tls/identity.h"

/* A bit a port: pages of ports that nobody listens on cost nothing. */
static _Atomic uint8_t listening[65536 / 8];

void dial_listening(uint16_t port, bool listens)
{
    uint8_t bit = (uint8_t)(1u << (port & 7));
    if (listens)
        atomic_fetch_or(&listening[port >> 3], bit);
    else
        atomic_fetch_and(&listening[port >> 3], (uint8_t)~bit);
}

bool dial_listens(uint16_t port)
{
    return atomic_load(&listening[port >> 3]) >> (port & 7) & 1;
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET ? ((const struct sockaddr_in *)address)->sin_port
                                               : ((const struct sockaddr_in6 *)address)->sin6_port);
}

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr, &((const struct sockaddr_in6 *)b)->sin6_addr,
                  16) == 0;
}

/* Is the listener at the other end this very process? Then it cannot answer while we wait. */
static bool is_self(int fd)
{
    struct sockaddr_storage peer, self;
    socklen_t peer_length = sizeof peer, self_length = sizeof self;
    return libc.getpeername(fd, (struct sockaddr *)&peer, &peer_length) == 0 &&
           dial_listens(port_of(&peer)) && getsockname(fd, (struct sockaddr *)&self, &self_length) == 0 &&
           same_host(&peer, &self);
}

static uint64_t some_bits(void)
{
    uint64_t bits = 0;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != (ssize_t)sizeof bits)
        bits = (uint64_t)clock_ns() * 0x9e3779b97f4a7c15u; /* not for secrets: any spread will do */
    return bits;
}

static uint64_t hash_address(const struct dialled *d)
{
    const uint8_t *bytes = (const void *)&d->address;
    uint64_t hash = 14695981039346656037u;
    for (socklen_t i = 0; i < d->length; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

/* ---- one try ---- */

static void target(const struct dial *d, const struct sockaddr **address, socklen_t *length)
{
    if (d->service->endpoint_count) {
        *address = (const void *)&d->service->endpoints[d->at].address;
        *length = d->service->endpoints[d->at].address_length;
    } else {
        *address = (const void *)&d->dialled.address;
        *length = d->dialled.length;
    }
}

static bool was_tried(const struct dial *d, size_t at)
{
    return d->tried && d->tried[at / 64] >> (at % 64) & 1;
}

/* True where this try goes to an endpoint that was not tried before. */
static bool choose(struct dial *d)
{
    bool fresh;
    if (d->service->endpoint_count == 0)
        return d->attempt == 0;
    d->at = balance_pick(d->service, d->tried, some_bits(), hash_address(&d->dialled), clock_ns());
    fresh = !was_tried(d, d->at);
    if (d->tried)
        d->tried[d->at / 64] |= (uint64_t)1 << (d->at % 64);
    return fresh;
}

/* An IPv6 socket reaches an IPv4 endpoint by its mapped address. */
static int real_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    struct sockaddr_storage own;
    socklen_t own_length = sizeof own;
    if (address->sa_family == AF_INET && getsockname(fd, (struct sockaddr *)&own, &own_length) == 0 &&
        own.ss_family == AF_INET6) {
        const struct sockaddr_in *in = (const void *)address;
        struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = in->sin_port };
        mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
        memcpy(&mapped.sin6_addr.s6_addr[12], &in->sin_addr, 4);
        return libc.connect(fd, (const struct sockaddr *)&mapped, sizeof mapped);
    }
    return libc.connect(fd, address, length);
}

/* For a process that gets it before TCP is up: until then the kernel does not tell where it leads. */
static void say_where(struct conn *conn)
{
    struct about *about = &conn->shared->about;
    settle_name(conn->pending, about->service, sizeof about->service);
    snprintf(about->address, sizeof about->address, "%s", conn->pending->peer_text);
}

/* 0: under way. Else the errno. */
static int try_now(struct conn *conn)
{
    struct pending *p = conn->pending;
    struct dial *d = &p->dial;
    const struct sockaddr *address;
    socklen_t length;
    target(d, &address, &length);
    pending_address_text(address, p->peer_text, sizeof p->peer_text);
    say_where(conn);
    d->attempt++;
    d->retry_ms = 0;
    d->started_ns = clock_ns();
    p->deadline_ms = d->started_ns / 1000000 + d->service->connect_timeout_ms;
    atomic_store(&conn->state, CONN_CONNECTING);
    if (real_connect(atomic_load(&conn->fd), address, length) != 0 && errno != EINPROGRESS)
        return errno;
    /* (It may listen no more when the program next looks here.) */
    p->is_self = dial_listens(port_of((const void *)address)) && is_self(atomic_load(&conn->fd));
    return 0;
}

static void disconnect(int fd)
{
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    libc.connect(fd, &none, sizeof none);
}

static void remember(struct pending *p, const char *text)
{
    if (p->dial.history.length < 4096)
        buf_printf(&p->dial.history, "%s: %s; ", p->peer_text, text);
}

/* Another process has dialled, and may try again on the same socket: it is not this program's own, whatever the kernel says of it. */
static bool is_anothers(const struct dial *d)
{
    return d->dialled.length == 0;
}

/* The last try failed in TCP: the socket is the program's again, the kernel's own error still on it. */
static void give_up(struct conn *conn, int error, bool under_way)
{
    struct pending *p = conn->pending;
    bool async = p->dial.async, anothers = is_anothers(&p->dial);
    pending_fail(conn, FAILURE_CONNECT, error, "");
    if (anothers)
        return;
    conn->so_error = 0;
    conn->spent = async && under_way;
    if (!async)
        disconnect(atomic_load(&conn->fd));
    atomic_store(&conn->state, CONN_FRESH);
}

void dial_now(struct conn *conn)
{
    int error = try_now(conn);
    if (error && !dial_again(conn, FAILURE_CONNECT, error, strerror(error))) {
        struct pending *p = conn->pending;
        if (p)
            pending_fail(conn, FAILURE_CONNECT, error, "");
    } else {
        readiness_hide(conn);
        readiness_arm(conn->pending ? conn->pending->deadline_ms : 0);
    }
}

bool dial_again(struct conn *conn, enum stats_failure reason, int error, const char *text)
{
    struct pending *p = conn->pending;
    struct dial *d = &p->dial;
    const struct sockaddr *address;
    socklen_t length;
    (void)reason;
    for (;;) {
        remember(p, text);
        d->last_error = error;
        if (d->attempt >= d->attempts)
            return false;
        log_debug("service %s: %s: %s; trying again", d->service->name, p->peer_text, text);
        disconnect(atomic_load(&conn->fd));
        atomic_store(&conn->shared->shaker, 0);
        atomic_store(&conn->state, CONN_CONNECTING);
        handshake_free(p->handshake);
        p->handshake = NULL;
        p->grace_ms = 0;
        if (!choose(d)) { /* the same one again: give it a moment */
            target(d, &address, &length);
            d->retry_ms = clock_ms() + balance_backoff_ms(d->attempt, some_bits());
            p->deadline_ms = d->retry_ms + d->service->connect_timeout_ms;
            readiness_arm(d->retry_ms);
            return true;
        }
        error = try_now(conn);
        if (!error) {
            readiness_hide(conn);
            readiness_arm(p->deadline_ms);
            return true;
        }
        text = strerror(error);
    }
}

/* The errno of a try that the kernel has given up; 0: it is connected; -1: still under way. */
static int tcp_outcome(struct conn *conn)
{
    struct pollfd look = { atomic_load(&conn->fd), POLLOUT, 0 };
    int error = 0;
    socklen_t length = sizeof error;
    struct pending *p = conn->pending;
    if (libc.poll(&look, 1, 0) <= 0)
        return -1;
    if (!(look.revents & (POLLERR | POLLHUP)))
        return 0;
    if (p->dial.async && p->dial.attempt >= p->dial.attempts && !is_anothers(&p->dial))
        return ECONNREFUSED; /* leave the kernel's own error where the program will look for it */
    if (libc.getsockopt(look.fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    return error ? error : ECONNREFUSED;
}

bool dial_step(struct conn *conn)
{
    struct pending *p = conn->pending;
    struct dial *d = &p->dial;
    int64_t took;
    int error;
    if (d->retry_ms)
        return false;
    error = tcp_outcome(conn);
    if (error < 0)
        return false;
    if (error > 0) {
        bool last = d->attempt >= d->attempts;
        if (dial_again(conn, FAILURE_CONNECT, error,
                       d->async && last ? "refused or unreachable" : strerror(error)))
            return false;
        give_up(conn, d->last_error, d->async && last);
        return false;
    }
    took = clock_ns() - d->started_ns;
    d->connect_ns = took;
    if (d->service->endpoint_count)
        balance_observe(&d->service->endpoints[d->at], took, clock_ns());
    p->is_self = p->is_self || is_self(atomic_load(&conn->fd));
    return true;
}

/* ---- the program's connect ---- */

static struct pending *new_pending(struct snapshot *snapshot, const struct service *service,
                                   const struct sockaddr *address, socklen_t length, const char *name)
{
    struct pending *p = pending_new();
    if (!p) {
        snapshot_unref(snapshot);
        return NULL;
    }
    p->snapshot = snapshot;
    p->dial.service = service;
    memcpy(&p->dial.dialled.address, address, length);
    p->dial.dialled.length = length;
    p->dial.attempts = 1 + service->connect_retries;
    snprintf(p->dial.name, sizeof p->dial.name, "%s", name ? name : "");
    if (service->endpoint_count > 1)
        p->dial.tried = calloc((service->endpoint_count + 63) / 64, sizeof(uint64_t));
    pending_address_text(address, p->peer_text, sizeof p->peer_text);
    return p;
}

static int refuse_own(const struct service *service, const char *why)
{
    struct counters *counters =
        stats_counters(stats_series(STATS_OUTBOUND, service->name, "", STATS_MUTUAL_TLS));
    atomic_fetch_add(&counters->failed[FAILURE_OWN_IDENTITY], 1);
    log_error("service %s: no connection, for we cannot prove who we are: %s", service->name, why);
    return -EACCES;
}

/* A blocking connect: the socket is non-blocking only while we wait, by our own loop. */
struct blocking {
    int fd, mode;
    struct conn *conn;
};

/* Also where the thread is cancelled: the connecting goes on, as the kernel's does. */
static void make_blocking(void *argument)
{
    const struct blocking *b = argument;
    if (fdtable_get(b->fd) == b->conn)
        libc.fcntl(b->fd, F_SETFL, b->mode);
}

static int connected(struct conn *conn, int fd, int result)
{
    if (result == 0)
        conn->connect_told = true;
    if (conn_state(conn) == CONN_FAILED) {
        disconnect(fd); /* as after ECONNREFUSED: the program may connect it again */
        atomic_store(&conn->state, CONN_FRESH);
    }
    if (conn_state(conn) == CONN_FRESH)
        conn->error = conn->so_error = 0;
    return result;
}

/* 0: under way, and the socket is non-blocking. Else minus the errno. */
static int begin(struct conn *conn, int fd, struct pending *p)
{
    struct buf why = BUF_INIT;
    struct quiet quiet;
    int mode = libc.fcntl(fd, F_GETFL, 0), error;
    p->identity = mesh_identity(&why);
    if (!p->identity) {
        int result = refuse_own(p->dial.service, buf_text(&why));
        buf_free(&why);
        pending_discard(p);
        return result;
    }
    buf_free(&why);
    p->dial.async = mode & O_NONBLOCK;
    if (!p->dial.async)
        libc.fcntl(fd, F_SETFL, mode | O_NONBLOCK);
    steps_enter(conn, &quiet);
    p->conn = conn;
    conn->pending = p;
    choose(&p->dial);
    atomic_store(&conn->shared->shaker, 0); /* of an earlier connect, which failed in its handshake */
    atomic_store(&conn->state, CONN_CONNECTING);
    pending_begin(conn, p);
    error = try_now(conn);
    readiness_arm(p->deadline_ms);
    if (error && !dial_again(conn, FAILURE_CONNECT, error, strerror(error))) {
        give_up(conn, error, false);
        steps_leave(conn, &quiet);
        libc.fcntl(fd, F_SETFL, mode);
        return -error;
    }
    steps_leave(conn, &quiet);
    return 0;
}

int dial_connect(struct conn *conn, int fd, const struct sockaddr *address, socklen_t length,
                 struct snapshot *snapshot, const struct service *service, const char *name)
{
    struct blocking blocking = { fd, libc.fcntl(fd, F_GETFL, 0), conn };
    struct pending *p;
    struct quiet quiet;
    struct undo undo;
    int result;
    quiet_begin(&quiet);
    p = new_pending(snapshot, service, address, length, name);
    if (p && conn_share(conn)) {
        result = begin(conn, fd, p);
    } else {
        pending_discard(p);
        result = -ENOBUFS;
    }
    quiet_end(&quiet);
    if (result)
        return result;
    if (blocking.mode & O_NONBLOCK)
        return -EINPROGRESS;
    undo_begin(&undo, make_blocking, &blocking);
    result = pending_wait(conn, fd, true);
    undo_end(&undo);
    make_blocking(&blocking);
    return connected(conn, fd, result);
}

static const struct service *service_named(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot_service_count(snapshot); i++)
        if (strcmp(snapshot_service(snapshot, i)->name, name) == 0)
            return snapshot_service(snapshot, i);
    return NULL;
}

static void find_endpoint(struct dial *d, const char *where)
{
    char text[64];
    for (size_t i = 0; i < d->service->endpoint_count; i++) {
        pending_address_text((const void *)&d->service->endpoints[i].address, text, sizeof text);
        if (strcmp(text, where) == 0)
            d->at = i;
    }
}

/* Nobody has begun the handshake, so it is this process' as well as the sender's. Tries are the sender's alone, who knows the endpoints. */
static bool resume_connecting(struct conn *conn, struct pending *p)
{
    struct buf why = BUF_INIT;
    p->identity = mesh_identity(&why);
    if (!p->identity)
        refuse_own(p->dial.service, buf_text(&why));
    buf_free(&why);
    snprintf(p->peer_text, sizeof p->peer_text, "%.63s", conn->shared->about.address);
    find_endpoint(&p->dial, p->peer_text);
    p->dial.dialled.length = 0; /* only the sender knows */
    p->dial.async = true;
    p->dial.attempt = p->dial.attempts;
    p->dial.started_ns = clock_ns();
    p->deadline_ms = clock_ms() + p->dial.service->connect_timeout_ms;
    return p->identity != NULL;
}

/* The sender's connect has succeeded, and its handshake goes on there. */
static bool resume_shaking(struct pending *p)
{
    p->graced = true;
    p->deadline_ms = clock_ms() + p->dial.service->handshake_timeout_ms;
    return true;
}

int dial_resume(struct conn *conn, int fd)
{
    struct snapshot *snapshot = mesh_snapshot();
    const struct service *service = snapshot ? service_named(snapshot, conn->shared->about.service) : NULL;
    struct sockaddr_storage peer = { .ss_family = AF_INET };
    socklen_t length = sizeof peer;
    bool shakes = libc.getpeername(fd, (struct sockaddr *)&peer, &length) == 0 &&
                  atomic_load(&conn->shared->shaker) != 0;
    struct pending *p = NULL;
    struct quiet quiet;
    if (service)
        p = new_pending(snapshot, service, (struct sockaddr *)&peer, length, NULL); /* takes the snapshot */
    else
        snapshot_unref(snapshot);
    if (!p)
        return -1;
    if (!(shakes ? resume_shaking(p) : resume_connecting(conn, p))) {
        pending_discard(p);
        return -1;
    }
    steps_enter(conn, &quiet);
    atomic_store(&conn->state, shakes ? CONN_SHAKING : CONN_CONNECTING);
    pending_begin(conn, p);
    steps_leave(conn, &quiet);
    return 0;
}
