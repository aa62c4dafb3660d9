/* See adopt.h. */
#include "conn/handover/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/banned.h"
#include "base/file.h"
#include "base/libc.h"
#include "base/log.h"
#include "conn/pending/accepting.h"
#include "conn/pending/dial.h"
#include "conn/fdtable.h"
#include "conn/mesh.h"
#include "conn/openfds.h"
#include "conn/pending/pending_parts.h"
#include "conn/family/slots.h"

struct search {
    const struct shared *shared;
    struct conn *found;
};

static void compare(struct conn *conn, void *context)
{
    struct search *search = context;
    if (conn->shared == search->shared && !atomic_load(&conn->closing) && atomic_load(&conn->fds) > 0)
        search->found = conn;
}

/* Another descriptor of the same description may be here already. */
static struct conn *conn_of(const struct shared *shared)
{
    struct search search = { shared, NULL };
    conn_each(compare, &search);
    return search.found;
}

static void fail(struct conn *conn, int error)
{
    conn->error = error;
    if (!conn->shared->inbound) /* there it is connecting that has failed */
        conn->so_error = error;
    atomic_store(&conn->state, CONN_FAILED);
}

static void (*begin)(void); /* see adopt.h */

/* Where the others left it. */
static void take_up(struct conn *conn, int fd)
{
    const struct shared *shared = conn->shared;
    int failed = shared_failed(shared);
    if (!shared_is_used(shared)) /* whoever connects it will say so there */
        return;
    begin(); /* or its bytes would be counted where nobody looks */
    conn->connect_told = true;
    conn->port = shared->about.port;
    if (failed) {
        fail(conn, failed);
    } else if (atomic_load_explicit(&conn->shared->established, memory_order_acquire)) {
        settle_count(conn, false);
        atomic_store_explicit(&conn->state, CONN_OPEN, memory_order_release);
    } else if (!shared->inbound) {
        if (dial_resume(conn, fd) == 0)
            return;
        log_error("a connection came from another process before its server was proved: it is refused");
        libc.shutdown(fd, SHUT_RDWR);
        fail(conn, ECONNRESET);
    } else if (accepting_resume(conn, fd) != 0) {
        libc.shutdown(fd, SHUT_RDWR);
        fail(conn, EACCES);
    }
}

static bool adopt_known(int fd, bool in_flight)
{
    bool had;
    struct shared *shared = shared_find(fd, in_flight, &had);
    struct conn *conn;
    if (!shared)
        return false;
    conn = had ? conn_of(shared) : NULL;
    if (conn) {
        conn_add_fd(conn, fd);
        return true;
    }
    conn = conn_new(fd, CONN_FRESH);
    if (!conn) {
        log_error("out of memory: a connection that came from another process is cut");
        conn_refuse(fd, ECONNRESET);
        return true;
    }
    conn->shared = shared;
    take_up(conn, fd);
    return true;
}

/* ---- what another process connects ---- */

static struct lock catching_up;

void adopt_after_fork(void)
{
    catching_up = (struct lock){ 0 };
}

static bool is_behind(const struct conn *conn, int fd)
{
    return fdtable_is(fd, conn) && conn_state(conn) == CONN_FRESH && conn->shared &&
           shared_is_used(conn->shared) && !openfd_is_unconnected(fd);
}

struct conn *adopt_connected(struct conn *conn, int fd, void (*first)(void))
{
    struct quiet quiet;
    if (!conn->shared || !shared_is_used(conn->shared))
        return NULL;
    quiet_begin(&quiet);
    if (lock_take(&catching_up) != LOCK_MINE) {
        begin = first;
        if (is_behind(conn, fd))
            take_up(conn, fd);
        lock_release(&catching_up);
    }
    quiet_end(&quiet);
    return conn_state(conn) >= CONN_CONNECTING ? conn : NULL;
}

/* ---- unknown ones ---- */

static unsigned ephemeral_start(void)
{
    char *text;
    size_t length;
    unsigned start = 32768;
    if (file_read("/proc/sys/net/ipv4/ip_local_port_range", 64, &text, &length) == 0) {
        start = (unsigned)strtoul(text, NULL, 10);
        free(text);
    }
    return start;
}

/* In /proc/net/tcp: local address and port, remote ones, state 0A. */
static bool is_in_table(const char *path, uint16_t port)
{
    char *text, needle[8];
    size_t length;
    bool found = false;
    int error = file_read(path, 64 << 20, &text, &length);
    if (error) /* without /proc nobody knows; else it is rather refused than left in the clear */
        return error != ENOENT;
    snprintf(needle, sizeof needle, ":%04X ", port);
    for (char *at = text; (at = strstr(at, needle)) && !found; at++) {
        const char *state = strchr(at + 6, ' ');
        found = state && strncmp(state, " 0A", 3) == 0;
    }
    free(text);
    return found;
}

static bool is_listening(uint16_t port)
{
    return is_in_table("/proc/net/tcp", port) || is_in_table("/proc/net/tcp6", port);
}

/* The kernel does not say who called whom: a client's port is ephemeral, and nobody listens there. */
static bool is_inbound(uint16_t port)
{
    return port < ephemeral_start() || is_listening(port);
}

static bool is_to_meshed_service(const struct sockaddr *peer, socklen_t length)
{
    struct snapshot *snapshot = mesh_snapshot();
    const struct service *service = snapshot ? snapshot_match(snapshot, peer, length, NULL) : NULL;
    bool meshed = service && service->mtls != MTLS_OFF;
    snapshot_unref(snapshot);
    return meshed;
}

static bool adopt_unknown(int fd)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    int port = accepting_port(fd);
    if (libc.getpeername(fd, (struct sockaddr *)&peer, &length) != 0) {
        if (errno == ENOTCONN || errno == EINVAL || errno == ENOTSOCK)
            return false;
        port = -1;
    }
    if (port < 0 || is_inbound((uint16_t)port)) {
        begin();
        if (accepting_take_port(fd, port) != 0)
            conn_refuse(fd, EACCES);
        return fdtable_get(fd) != NULL;
    }
    if (mesh_state != MESH_BROKEN && !is_to_meshed_service((const struct sockaddr *)&peer, length))
        return false;
    log_error(
        "a connection to a meshed service was inherited from a process that did not hand its keys over: it "
        "is refused; start both with the library");
    conn_refuse(fd, EACCES);
    return true;
}

/* ---- all that a new image has ---- */

struct inheritance {
    bool family, channel, connection;
};

static void find_family(int fd, void *context)
{
    struct inheritance *found = context;
    if (!found->family && family_join(fd)) {
        found->family = true;
        libc.fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
}

static void adopt_each(int fd, void *context)
{
    struct inheritance *found = context;
    switch (openfd_kind(fd)) {
    case OPENFD_UNIX:
    case OPENFD_LISTENER:
        found->channel = true;
        break;
    case OPENFD_TCP:
        if (fdtable_get(fd) == NULL && (adopt_known(fd, false) || adopt_unknown(fd)))
            found->connection = true;
        break;
    default:
        break;
    }
}

static bool is_here(const struct shared *shared)
{
    return conn_of(shared) != NULL;
}

bool adopt_inherited(void (*first)(void))
{
    struct inheritance found = { 0 };
    begin = first;
    openfds_each(find_family, &found);
    if (found.family)
        slots_arrive();
    openfds_each(adopt_each, &found);
    if (found.family) {
        shared_keep_only(is_here);
        if (!found.connection && !found.channel) {
            slots_release(slots_own());
            family_part();
        }
    }
    return found.connection;
}

void adopt_received(int fd, bool peeked, void (*first)(void))
{
    begin = first;
    if (openfd_kind(fd) == OPENFD_TCP && !adopt_known(fd, !peeked))
        adopt_unknown(fd);
}
