/* See accepting.h. */
#include "conn/pending/accepting.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/banned.h"
#include "base/clock.h"
#include "base/libc.h"
#include "base/log.h"
#include "conn/pending/dial.h"
#include "conn/family/family.h"
#include "conn/fdtable.h"
#include "conn/mesh.h"
#include "conn/pending/pending_parts.h"
#include "conn/pending/selfpair.h"
#include "tls/identity.h"

int accepting_port(int fd)
{
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    if (getsockname(fd, (struct sockaddr *)&own, &length) != 0)
        return errno == ENOTSOCK || errno == EBADF ? 0 : -1;
    if (own.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&own)->sin_port);
    if (own.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&own)->sin6_port);
    return 0;
}

/* One that listens already is remembered with its port; 0 stands for what is not TCP. */
static struct conn *note_listener(int fd)
{
    struct conn *conn = fdtable_get(fd);
    int port = accepting_port(fd);
    if (!conn)
        conn = conn_new(fd, CONN_LISTENING);
    if (!conn)
        return NULL;
    conn->port = (uint16_t)(port > 0 ? port : 0);
    conn->exact_listener = port >= 0; /* else it is asked again */
    atomic_store(&conn->state, CONN_LISTENING);
    if (conn->port)
        dial_listening(conn->port, true);
    return conn;
}

static bool is_meshed(uint16_t port)
{
    struct snapshot *snapshot = mesh_snapshot();
    bool meshed = snapshot && port && snapshot_inbound(snapshot, port)->mtls != MTLS_OFF;
    snapshot_unref(snapshot);
    return meshed;
}

bool accepting_listens(int fd)
{
    struct conn *conn = note_listener(fd);
    if (!conn || !is_meshed(conn->port))
        return false;
    family_begin(); /* its children may accept, and send what they accept to one another (Dovecot) */
    return true;
}

static int refuse(struct conn *conn, int fd, int error)
{
    if (!conn)
        return -1;
    conn->error = error;
    atomic_store(&conn->state, CONN_FAILED);
    libc.shutdown(fd, SHUT_RDWR);
    return 0;
}

static int refuse_own(struct conn *conn, int fd, uint16_t port, const char *why)
{
    char name[32];
    snprintf(name, sizeof name, "inbound:%u", port);
    atomic_fetch_add(&stats_counters(stats_series(STATS_INBOUND, name, "", STATS_MUTUAL_TLS))
                          ->failed[FAILURE_OWN_IDENTITY],
                     1);
    log_error("%s: connection refused, for we cannot prove who we are: %s", name, why);
    return refuse(conn, fd, EACCES);
}

static void note_peer(int fd, struct pending *p)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    snprintf(p->peer_text, sizeof p->peer_text, "?");
    if (libc.getpeername(fd, (struct sockaddr *)&peer, &length) == 0)
        pending_address_text((struct sockaddr *)&peer, p->peer_text, sizeof p->peer_text);
}

static int begin(struct conn *conn, int fd, struct snapshot *snapshot, const struct inbound_policy *policy,
                 struct identity *identity)
{
    struct quiet quiet;
    struct pending *p = pending_new();
    if (!p || !conn || !conn_share(conn)) {
        snapshot_unref(snapshot);
        identity_unref(identity);
        pending_discard(p);
        return -1;
    }
    conn->connect_told = true;
    conn->shared->about.port = conn->port;
    p->snapshot = snapshot;
    p->identity = identity;
    p->inbound = policy;
    p->deadline_ms = clock_ms() + policy->handshake_timeout_ms;
    note_peer(fd, p);
    steps_enter(conn, &quiet);
    atomic_store(&conn->state, CONN_ARRIVED);
    pending_begin(conn, p);
    steps_leave(conn, &quiet);
    return 0;
}

/* With `conn`, which is entered for `fd` already, NULL: out of memory. */
static int take(struct conn *conn, int fd, uint16_t port, struct snapshot *snapshot)
{
    struct buf why = BUF_INIT;
    struct identity *identity = mesh_identity(&why);
    int result;
    if (conn)
        conn->port = port;
    if (!identity) {
        snapshot_unref(snapshot);
        result = refuse_own(conn, fd, port, buf_text(&why));
    } else {
        result = begin(conn, fd, snapshot, snapshot_inbound(snapshot, port), identity);
    }
    buf_free(&why);
    return result;
}

int accepting_take_port(int fd, int port)
{
    struct snapshot *snapshot;
    const struct inbound_policy *policy;
    struct conn *conn;
    int result;
    if (port <= 0)
        return port;
    if (mesh_state == MESH_BROKEN)
        mesh_mend();
    if (mesh_state == MESH_BROKEN)
        return refuse(conn_new(fd, CONN_FRESH), fd, EACCES);
    snapshot = mesh_snapshot();
    policy = snapshot ? snapshot_inbound(snapshot, (uint16_t)port) : NULL;
    if (!policy || policy->mtls == MTLS_OFF || selfpair_is(fd)) {
        snapshot_unref(snapshot);
        return policy ? 0 : -1;
    }
    conn = conn_new(fd, CONN_FRESH);
    result = take(conn, fd, (uint16_t)port, snapshot);
    if (result != 0 && conn)
        conn_drop_fd(conn, fd);
    return result;
}

/* NULL: there is no room to remember it. */
static struct conn *known_listener(int listener)
{
    struct conn *at = fdtable_get(listener);
    return at && at->exact_listener ? at : note_listener(listener);
}

bool accepting_concerns(int listener)
{
    struct conn *at = known_listener(listener);
    return !at || !at->exact_listener || mesh_state == MESH_BROKEN || is_meshed(at->port);
}

int accepting_take(int listener, int fd)
{
    struct conn *at = known_listener(listener);
    return accepting_take_port(fd, at && at->exact_listener ? at->port : accepting_port(fd));
}

int accepting_resume(struct conn *conn, int fd)
{
    struct snapshot *snapshot = mesh_snapshot();
    return snapshot ? take(conn, fd, conn->port, snapshot) : -1;
}
