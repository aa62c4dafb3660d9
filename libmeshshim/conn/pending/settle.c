/* How a pending connection ends: open, failed, or not ours. See pending_parts.h. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/banned.h"
#include "base/clock.h"
#include "base/libc.h"
#include "base/log.h"
#include "base/scratch.h"
#include "conn/pending/driver.h"
#include "conn/pending/pending_parts.h"
#include "conn/pending/readiness.h"
#include "conn/stream/goodbye.h"
#include "conn/stream/send_parts.h"
#include "conn/stream/stream.h"

void settle_name(const struct pending *p, char *name, size_t room)
{
    if (p->inbound)
        snprintf(name, room, "inbound:%u", p->conn->port);
    else
        snprintf(name, room, "%s", p->dial.service->name);
}

static struct series *series_of(const struct pending *p, const char *peer, enum stats_security security)
{
    char name[128];
    settle_name(p, name, sizeof name);
    return stats_series(p->inbound ? STATS_INBOUND : STATS_OUTBOUND, name, peer, security);
}

static void say_failure(const struct pending *p, enum stats_failure reason, const char *text)
{
    char name[128];
    settle_name(p, name, sizeof name);
    if (p->inbound)
        log_warn("%s: connection from %s refused: %s", name, p->peer_text, text);
    else if (reason != FAILURE_CONNECT && p->dial.service->endpoint_count > 1 && p->dial.history.length)
        log_error("service %s: no endpoint is left: %s", name, buf_text(&p->dial.history));
    else if (reason == FAILURE_CONNECT)
        log_warn("service %s: no endpoint is left: %s%s", name, buf_text(&p->dial.history), text);
    else
        log_error("service %s: connection to %s refused: %s", name, p->peer_text, text);
}

void pending_fail(struct conn *conn, enum stats_failure reason, int error, const char *text)
{
    struct pending *p = pending_detach(conn);
    struct counters *counters;
    if (!p)
        return;
    if (text) {
        counters = stats_counters(
            series_of(p, p->handshake ? handshake_peer_id(p->handshake) : "", STATS_MUTUAL_TLS));
        atomic_fetch_add_explicit(&counters->failed[reason], 1, memory_order_relaxed);
        say_failure(p, reason, text);
    }
    conn->error = error;
    conn->so_error = p->inbound || p->graced ? 0 : error;
    if (conn->shared)
        atomic_store_explicit(&conn->shared->failed, error, memory_order_release);
    atomic_store_explicit(&conn->state, CONN_FAILED, memory_order_release);
    if (reason != FAILURE_CONNECT) /* there, the kernel has its own end, and its own error to tell */
        libc.shutdown(atomic_load(&conn->fd), SHUT_RDWR);
    readiness_show(conn);
    if (pending_is_owed(p))
        driver_wake();
    pending_discard(p);
}

static void note_nagle(struct conn *conn)
{
    int on = 1;
    socklen_t length = sizeof on;
    if (libc.getsockopt(atomic_load(&conn->fd), IPPROTO_TCP, TCP_NODELAY, &on, &length) == 0)
        conn->shared->tx.nagle = !on;
}

/* Before anybody else may use the keys: what they are for. */
static void introduce(struct conn *conn, const char *peer)
{
    struct about *about = &conn->shared->about;
    settle_name(conn->pending, about->service, sizeof about->service);
    snprintf(about->peer, sizeof about->peer, "%s", peer);
    snprintf(about->address, sizeof about->address, "%s", conn->pending->peer_text);
    about->opened_ms = clock_ms();
    about->port = conn->port;
}

static void remember_endpoint(struct conn *conn)
{
    const struct pending *p = conn->pending;
    conn->snapshot = snapshot_ref(p->snapshot);
    conn->endpoint = &p->dial.service->endpoints[p->dial.at];
    atomic_fetch_add(&conn->endpoint->active, 1);
    if (p->dial.dialled.length && (conn->dialled = malloc(sizeof *conn->dialled)) != NULL)
        *conn->dialled = p->dial.dialled;
}

/* The process that made the handshake counts the connection; bytes are counted by whoever moves them. */
void settle_count(struct conn *conn, bool is_own)
{
    const struct about *about = &conn->shared->about;
    struct series *series = stats_series(conn->shared->inbound ? STATS_INBOUND : STATS_OUTBOUND,
                                         about->service, about->peer, STATS_MUTUAL_TLS);
    conn->counters = stats_counters(series);
    conn->series = is_own ? series : NULL;
    if (!is_own)
        return;
    stats_connection_opened(series);
    atomic_fetch_add_explicit(&conn->counters->layer[stream_layer(conn)], 1, memory_order_relaxed);
}

/* While the program is still shown what it has shut down: there is no moment at which the kernel knows nothing of it. */
static void shut_reading(struct conn *conn)
{
    stream_end_reading(conn);
    libc.shutdown(atomic_load(&conn->fd), SHUT_RD);
}

static void shut_writing(struct conn *conn)
{
    int fd = atomic_load(&conn->fd);
    if (!goodbye_say(conn, fd, true)) /* else it comes behind the goodbye */
        libc.shutdown(fd, SHUT_WR);
}

bool pending_shut(struct conn *conn, int how)
{
    struct quiet quiet;
    struct pending *p;
    if (!steps_enter(conn, &quiet))
        return false;
    p = conn->pending;
    if (p) {
        p->shut_read |= how != SHUT_WR;
        p->shut_write |= how != SHUT_RD;
        if (p->shut_read) {
            p->held = true;
            readiness_hide(conn);
        }
        if (p->shut_write)
            pending_owe(p); /* the peer waits for it, whatever the program does next */
    }
    steps_leave(conn, &quiet);
    return p != NULL;
}

/* The keys are in shared memory: whoever has the description may use it from here on. */
static void open_up(struct conn *conn, bool is_own)
{
    struct pending *p = conn->pending;
    settle_count(conn, is_own);
    if (!p->inbound && p->dial.service->endpoint_count &&
        p->handshake) /* else another process has chosen it */
        remember_endpoint(conn);
    if (p->shut_read)
        shut_reading(conn);
    pending_detach(conn);
    if (p->early_length)
        stream_send_early(conn, atomic_load(&conn->fd), p->early, p->early_length);
    atomic_store_explicit(&conn->state, CONN_OPEN, memory_order_release);
    if (p->shut_write)
        shut_writing(conn);
    if (pending_is_owed(p))
        driver_wake();
    readiness_show(conn);
    pending_discard(p);
}

/* Opens it: what its pending part knows must be looked at before. */
static void open_and_count(struct conn *conn)
{
    const struct pending *p = conn->pending;
    int64_t took = clock_ns() - p->shaking_ns, connected = p->inbound ? 0 : p->dial.connect_ns;
    bool resumed = handshake_resumed(p->handshake);
    log_debug("%s %s: %s proved to be %s in %lld us%s%s", p->inbound ? "inbound" : p->dial.service->name,
              p->peer_text, p->inbound ? "the client" : "the server", handshake_peer_id(p->handshake),
              (long long)(took / 1000), resumed ? ", by an earlier handshake" : "",
              handshake_is_forward_secret(p->handshake) ? "" : ", without forward secrecy");
    open_up(conn, true);
    if (resumed)
        atomic_fetch_add_explicit(&conn->counters->resumed, 1, memory_order_relaxed);
    if (connected)
        histogram_record(&conn->counters->latency[LATENCY_CONNECT], (uint64_t)connected);
    histogram_record(&conn->counters->latency[LATENCY_HANDSHAKE], (uint64_t)took);
}

/* Apart from the memory that each connection has: few servers give any. */
static void expect_tickets(struct handshake *handshake, struct receiving *rx)
{
    struct tickets expected, *kept;
    if (handshake_expect_tickets(handshake, &expected) &&
        (kept = arena_grant(&rx->tickets, sizeof *kept)) != NULL)
        *kept = expected;
    tickets_wipe(&expected);
}

enum pending_result settle_open(struct conn *conn)
{
    struct pending *p = conn->pending;
    struct shared *shared = conn->shared;
    if (!handshake_keys(p->handshake, &shared->tx.keys, &shared->rx.keys)) {
        pending_fail(conn, FAILURE_PROTOCOL, ECONNRESET, "its keys could not be derived (out of memory)");
        return PENDING_FAILED;
    }
    expect_tickets(p->handshake, &shared->rx);
    /* More early bytes than a record need what is kept of records that the kernel had no room for. */
    stream_use_kernel(conn, atomic_load(&conn->fd), snapshot_workload(p->snapshot)->record_layer,
                      p->early_length <= RECORD_PLAINTEXT);
    shared->tx.taken = writing_taken(atomic_load(&conn->fd));
    if (!p->inbound)
        note_nagle(conn);
    introduce(conn, handshake_peer_id(p->handshake));
    scratch_sweep(shared->about.opened_ms);
    atomic_store_explicit(&shared->established, 1, memory_order_release);
    open_and_count(conn);
    return PENDING_DONE;
}

/* Not for us after all: the program gets its socket back as it is. */
enum pending_result settle_plain(struct conn *conn, enum stats_passed passed)
{
    static const char *const words[] = {
        [STATS_PASSED_PLAIN] = "plain text",
        [STATS_PASSED_TLS] = "TLS of its own",
        [STATS_PASSED_NOTHING] = "it ended without a word",
    };
    struct pending *p = pending_detach(conn);
    struct series *series = series_of(p, "", STATS_NONE);
    stats_connection_opened(series);
    stats_connection_closed(series);
    atomic_fetch_add_explicit(&stats_counters(series)->passed[passed], 1, memory_order_relaxed);
    log_info("inbound:%u: connection from %s let pass, not meshed: %s", conn->port, p->peer_text,
             words[passed]);
    readiness_show(conn);
    if (pending_is_owed(p))
        driver_wake();
    pending_discard(p);
    conn_forget(conn);
    return PENDING_PLAIN;
}

bool settle_adopt(struct conn *conn)
{
    int failed;
    if (!conn->pending)
        return false;
    failed = shared_failed(conn->shared);
    if (failed)
        pending_fail(conn, FAILURE_PROTOCOL, failed, NULL);
    if (failed || !atomic_load_explicit(&conn->shared->established, memory_order_acquire))
        return false;
    open_up(conn, false);
    return true;
}
