/* A pending connection's steps: each goes as far as the socket allows. See pending.h. */
#include <errno.h>

#include "base/banned.h"
#include "base/clock.h"
#include "base/libc.h"
#include "base/roomy.h"
#include "base/process.h"
#include "conn/pending/dial.h"
#include "conn/pending/pending_parts.h"
#include "conn/pending/readiness.h"
#include "tls/clienthello.h"

bool steps_enter(struct conn *conn, struct quiet *quiet)
{
    quiet_begin(quiet);
    if (lock_take(&conn->steps) != LOCK_MINE)
        return true;
    quiet_end(quiet);
    return false;
}

bool steps_enter_now(struct conn *conn, struct quiet *quiet)
{
    quiet_begin(quiet);
    if (lock_try(&conn->steps) == LOCK_TAKEN)
        return true;
    quiet_end(quiet);
    return false;
}

void steps_leave(struct conn *conn, const struct quiet *quiet)
{
    int saved = quiet->error;
    lock_release(&conn->steps);
    if (atomic_load(&conn->closing))
        conn_settle(conn);
    quiet_end(quiet);
    errno = saved; /* a step tells by its result alone, and is not what the program has called */
}

/* A failure that another endpoint may not have. */
enum pending_result steps_fail_or_retry(struct conn *conn, const struct handshake_fault *fault)
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
void steps_grant_grace(struct conn *conn)
{
    struct pending *p = conn->pending;
    p->grace_ms = 0;
    p->graced = true;
    p->held = p->shut_read; /* what the kernel does not know of can only be shown by us */
    readiness_show(conn);
    /* Another process waits for this one to go on, which thinks that it is connected, and may do something else or end. */
    if (atomic_load(&conn->shared->shaker) == process_id() && shared_is_held_by_several(conn->shared))
        pending_owe(p);
}

/* That it has ended shows in shared memory alone, and the bytes that woke us do so once: look again soon. */
static enum pending_result another_has_it(struct pending *p)
{
    p->look_ms = clock_ms() + PENDING_LOOK_MS;
    readiness_arm(p->look_ms);
    return PENDING_WAITS;
}

static enum pending_result shake(struct conn *conn)
{
    struct pending *p = conn->pending;
    enum handshake_status status;
    if (atomic_load(&conn->shared->shaker) != process_id() || !p->handshake)
        return another_has_it(p); /* forked or sent in the middle */
    status = handshake_step(p->handshake, atomic_load(&conn->fd));
    if (status == HANDSHAKE_DONE)
        return settle_open(conn);
    if (status == HANDSHAKE_FAILED) {
        struct handshake_fault fault = *handshake_fault(p->handshake);
        return steps_fail_or_retry(conn, &fault);
    }
    if (handshake_peer_spoke(p->handshake))
        p->grace_ms = 0; /* it answers: its proof is on the way */
    else if (p->is_self && !p->graced)
        steps_grant_grace(conn); /* it cannot answer before this very process calls accept */
    if (p->wants_write != (status == HANDSHAKE_WANTS_WRITE)) {
        p->wants_write = status == HANDSHAKE_WANTS_WRITE;
        readiness_hide(conn);
    }
    return PENDING_WAITS;
}

/* Its time is this process' own to keep: the other one may be granted the grace, and let the handshake wait. */
static enum pending_result another_begins(struct pending *p)
{
    if (!p->inbound && !p->graced && !p->grace_ms) {
        p->grace_ms = clock_ms() + p->dial.service->handshake_grace_ms;
        readiness_arm(p->grace_ms);
    }
    return another_has_it(p);
}

static enum pending_result begin_shaking(struct conn *conn)
{
    struct pending *p = conn->pending;
    enum session_resumption resumption =
        p->inbound ? p->inbound->session_resumption : p->dial.service->session_resumption;
    struct handshake_terms terms = {
        .identity = p->identity,
        .is_server = p->inbound != NULL,
        .server_name = p->inbound || !p->dial.name[0] ? NULL : p->dial.name,
        /* A server that did not take a resumption well is not offered one again. */
        .resumes = resumption != RESUMPTION_NO && (p->inbound || p->dial.attempt <= 1),
        .destination = p->peer_text,
        .trust_domain = snapshot_workload(p->snapshot)->trust_domain,
        .wanted = p->inbound ? &p->inbound->allow : &p->dial.service->identity,
        .without_forward_secrecy = resumption == RESUMPTION_WITHOUT_FORWARD_SECRECY,
    };
    pid_t nobody = 0;
    if (!atomic_compare_exchange_strong(&conn->shared->shaker, &nobody, process_id()) &&
        nobody != process_id())
        return another_begins(p); /* of this family */
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
            return settle_plain(conn, STATS_PASSED_NOTHING);
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
    case HELLO_FOREIGN:
        return settle_plain(conn, STATS_PASSED_TLS);
    default:
        return settle_plain(conn, STATS_PASSED_PLAIN);
    }
}

static enum pending_result take(struct conn *conn)
{
    if (conn_is_pending(conn) && !conn->pending) /* given up by another thread that closes it */
        return PENDING_FAILED;
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
    default: /* closed by another thread, or let pass */
        return conn->plain ? PENDING_PLAIN : PENDING_FAILED;
    }
}

struct taking {
    struct conn *conn;
    enum pending_result result;
};

static void take_roomily(void *argument)
{
    struct taking *taking = argument;
    taking->result = take(taking->conn);
}

enum pending_result steps_take(struct conn *conn)
{
    struct taking taking = { conn, PENDING_WAITS };
    roomy_call(take_roomily, &taking);
    return taking.result;
}

enum pending_result pending_drive(struct conn *conn)
{
    enum pending_result result;
    struct quiet quiet;
    if (!steps_enter(conn, &quiet))
        return PENDING_WAITS;
    if (conn->pending)
        conn->pending->inherited = false;
    result = settle_adopt(conn) ? PENDING_DONE : steps_take(conn);
    steps_leave(conn, &quiet);
    return result;
}

/* Not where another thread is at it, or sleeps on it. */
static void drive_idle(struct conn *conn)
{
    struct quiet quiet;
    if (!steps_enter_now(conn, &quiet))
        return;
    if (conn_is_pending(conn) && !atomic_load(&conn->sleepers) && !settle_adopt(conn))
        steps_take(conn);
    steps_leave(conn, &quiet);
}

enum { MOST = 64 };

void pending_drive_others(struct conn *except)
{
    struct conn *all[MOST];
    int n = pending_list(all, MOST);
    for (int i = 0; i < n; i++)
        if (all[i] != except)
            drive_idle(all[i]);
}

bool pending_drive_selves(void)
{
    struct conn *all[MOST];
    int n = pending_list(all, MOST);
    bool any = false;
    for (int i = 0; i < n; i++) {
        const struct pending *p = all[i]->pending;
        if (!p || !p->is_self)
            continue;
        drive_idle(all[i]);
        any = true;
    }
    return any;
}
