/* Making connections, and what a socket says of itself. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/quiet.h"
#include "conn/family/slots.h"
#include "conn/pending/accepting.h"
#include "conn/pending/anywhere.h"
#include "conn/pending/dial.h"
#include "conn/mesh.h"
#include "conn/names.h"
#include "conn/openfds.h"
#include "conn/ownfd.h"
#include "conn/pending/readiness.h"
#include "conn/pending/selfpair.h"
#include "conn/stream/goodbye.h"
#include "conn/stream/stream.h"
#include "hook/entry.h"
#include "hook/start.h"
#include "hook/stdio.h"

static bool is_internet(int domain)
{
    return domain == AF_INET || domain == AF_INET6;
}

int hook_socket(int domain, int type, int protocol)
{
    int fd = libc.socket(domain, type, protocol);
    struct quiet quiet;
    if (mesh_state == MESH_OFF || fd < 0)
        return fd;
    entry_new(fd);
    if (is_internet(domain) && (type & 0xf) == SOCK_STREAM && (protocol == 0 || protocol == IPPROTO_TCP)) {
        quiet_begin(&quiet);
        if (conn_new(fd, CONN_FRESH))
            stdio_follow(fd);
        quiet_end(&quiet);
    }
    return fd;
}

static bool is_stream(int fd)
{
    int type = 0;
    socklen_t length = sizeof type;
    return libc.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM;
}

/* A socket whose birth we did not see (inherited over exec) is taken up when it connects. */
static struct conn *conn_for_connect(int fd)
{
    struct conn *conn = fdtable_get(fd);
    if (!conn && is_stream(fd))
        conn = conn_new(fd, CONN_FRESH);
    if (conn && fd <= STDERR_FILENO)
        stdio_follow(fd);
    return conn;
}

/* Back to a plain, unconnected socket: connect(AF_UNSPEC), or a new try after a failure. */
static void start_over(struct conn *conn, int fd)
{
    conn_drop_fd(conn, fd);
    conn_new(fd, CONN_FRESH);
}

static bool is_loopback(const struct sockaddr *addr)
{
    if (addr->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)addr)->sin_addr.s_addr) == INADDR_LOOPBACK;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr);
}

static int dial(struct conn *conn, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct snapshot *snapshot = mesh_snapshot();
    const struct service *service = NULL;
    struct sockaddr_storage there;
    char name[256];
    bool named = names_of(addr, name, sizeof name);
    int result;
    /* Or it would go out in the clear beside the service of the address that it leads to. */
    if (anywhere_is(addr)) {
        memcpy(&there, addr, len);
        anywhere_follow(fd, &there);
        addr = (struct sockaddr *)&there;
    }
    if (!snapshot) /* only in a signal handler that interrupted a reload: not in the clear for that */
        return (int)as_result(-EAGAIN);
    service = snapshot_match(snapshot, addr, len, named ? name : NULL);
    if (!service && is_loopback(addr)) /* curl and others know localhost without asking anybody */
        service = snapshot_match(snapshot, addr, len, "localhost");
    if (!service || service->mtls == MTLS_OFF) {
        snapshot_unref(snapshot);
        selfpair_note(fd, addr);
        result = libc.connect(fd, addr, len);
        if (result == 0 || errno == EINPROGRESS) {
            int saved = errno;
            conn_drop_fd(conn, fd); /* not ours from here on */
            errno = saved;
        }
        return result;
    }
    start_service();
    return (int)as_result(dial_connect(conn, fd, addr, len, snapshot, service, named ? name : NULL));
}

/*
 * After a non-blocking connect has failed in TCP, the next call only tells the error: the kernel still thinks of the old try. A new one
 * must not begin there, for it would not be ours.
 */
static int tell_failure(struct conn *conn, int fd, const struct sockaddr *addr, socklen_t len)
{
    int result;
    conn->spent = false;
    result = libc.connect(fd, addr, len);
    if (result == 0 || errno == EINPROGRESS) {
        libc.shutdown(fd, SHUT_RDWR);
        return (int)as_result(-ECONNREFUSED);
    }
    return result;
}

static int connected_already(struct conn *conn)
{
    bool told = conn->connect_told;
    conn->connect_told = true;
    return told ? (int)as_result(-EISCONN) : 0;
}

int hook_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    const struct pending *p;
    struct conn *conn;
    if (mesh_state == MESH_OFF || len < sizeof(sa_family_t) || len > sizeof(struct sockaddr_storage) ||
        !is_readable(addr, len))
        return libc.connect(fd, addr, len);
    conn = fdtable_get(fd);
    if (addr->sa_family == AF_UNSPEC && conn && conn_state(conn) != CONN_FRESH) {
        start_over(conn, fd);
        return libc.connect(fd, addr, len);
    }
    if (!is_internet(addr->sa_family) ||
        len < (addr->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)))
        return libc.connect(fd, addr, len);
    conn = conn_for_connect(fd);
    if (!conn) /* not TCP, or nowhere to keep it: the latter must not go out in the clear */
        return is_stream(fd) ? (int)as_result(-EMFILE) : libc.connect(fd, addr, len);
    if (mesh_state == MESH_BROKEN)
        mesh_mend();
    if (mesh_state == MESH_BROKEN)
        return (int)as_result(-EACCES);
    protected_conn(fd); /* another process may have connected it */
    switch (conn_state(conn)) {
    case CONN_CONNECTING:
    case CONN_SHAKING:
        p = conn->pending;
        return p && !p->graced ? (int)as_result(-EALREADY) : connected_already(conn);
    case CONN_ARRIVED:
    case CONN_OPEN:
        return connected_already(conn);
    case CONN_LISTENING: /* shut down, and used again */
    case CONN_FAILED:
        start_over(conn, fd);
        libc.connect(fd, &(struct sockaddr){ .sa_family = AF_UNSPEC }, sizeof(struct sockaddr));
        conn = fdtable_get(fd);
        return conn ? dial(conn, fd, addr, len) : (int)as_result(-ENOBUFS);
    case CONN_FRESH:
        return conn->spent ? tell_failure(conn, fd, addr, len) : dial(conn, fd, addr, len);
    default:
        return libc.connect(fd, addr, len);
    }
}

int hook_listen(int fd, int backlog)
{
    int result = libc.listen(fd, backlog), saved = errno;
    if (result == 0 && mesh_state != MESH_OFF) {
        if (openfd_kind(fd) == OPENFD_UNIX)
            slots_note_channel();
        if (accepting_listens(fd))
            start_service();
    }
    errno = saved;
    return result;
}

static int accepted(int listener, int fd)
{
    struct quiet quiet;
    int result;
    if (mesh_state == MESH_OFF || fd < 0)
        return fd;
    quiet_begin(&quiet);
    entry_new(fd);
    if (accepting_concerns(listener))
        start_service();
    result = accepting_take(listener, fd) == 0 ? fd : -EMFILE;
    if (result < 0)
        libc.close(fd);
    else if (fdtable_get(fd))
        stdio_follow(fd);
    quiet_end(&quiet);
    return (int)as_result(result);
}

int hook_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    return accepted(fd, libc.accept(fd, addr, len));
}

int hook_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    return accepted(fd, libc.accept4(fd, addr, len, flags));
}

/* ---- shutdown ---- */

/* Said to the peer once it is known. Before TCP is up the kernel takes the connection down. */
static int shut_pending(struct conn *conn, int fd, int how)
{
    bool ended;
    if (how < SHUT_RD || how > SHUT_RDWR || !conn->pending)
        return libc.shutdown(fd, how);
    if (entry_establish(conn, fd, MSG_DONTWAIT, how != SHUT_RD, &ended) == -EAGAIN &&
        (conn_state(conn) == CONN_CONNECTING ? pending_try_no_more(conn) : pending_shut(conn, how)))
        return 0;
    return conn_state(conn) == CONN_OPEN ? hook_shutdown(fd, how) : libc.shutdown(fd, how);
}

int hook_shutdown(int fd, int how)
{
    struct conn *conn = protected_conn(fd);
    if (!conn || conn_state(conn) == CONN_FAILED)
        return libc.shutdown(fd, how);
    if (conn_state(conn) != CONN_OPEN)
        return shut_pending(conn, fd, how);
    if ((how == SHUT_WR || how == SHUT_RDWR) && goodbye_say(conn, fd, true))
        how = how == SHUT_WR ? -1 : SHUT_RD; /* the rest comes behind the goodbye */
    if (how == SHUT_RD || how == SHUT_RDWR)
        stream_end_reading(conn);
    return how < 0 ? 0 : libc.shutdown(fd, how);
}

/* ---- options and names ---- */

/* The handshake's outcome, once, as the kernel tells a connect's. */
static int pending_error(struct conn *conn, int fd, void *value, socklen_t *len)
{
    int error = 0;
    if (conn_is_pending(conn))
        pending_drive(conn);
    if (conn_state(conn) != CONN_FAILED) {
        int result = libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, len);
        if (result == 0 && *len >= sizeof error && conn->shared) {
            memcpy(&error, value, sizeof error);
            error = stream_error_taken(conn, error);
            memcpy(value, &error, sizeof error);
        }
        return result;
    }
    error = conn->so_error;
    conn->so_error = 0;
    if (is_nowhere(value) || is_nowhere(len) || *len < sizeof error)
        return libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, len);
    memcpy(value, &error, sizeof error);
    *len = sizeof error;
    return 0;
}

int hook_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    struct conn *conn = protected_conn(fd);
    if (conn && level == SOL_TLS) /* the kernel would tell the keys */
        return (int)as_result(-ENOPROTOOPT);
    if (conn && level == SOL_SOCKET && name == SO_ERROR)
        return pending_error(conn, fd, value, len);
    if (conn && conn->shared && conn->shared->rx.low_water && level == SOL_SOCKET && name == SO_RCVLOWAT &&
        !is_nowhere(value) && !is_nowhere(len) && *len >= sizeof(int)) {
        int bytes = (int)conn->shared->rx.low_water;
        memcpy(value, &bytes, sizeof bytes);
        *len = sizeof bytes;
        return 0;
    }
    return libc.getsockopt(fd, level, name, value, len);
}

/* A layer of the kernel's under the program's bytes (kernel TLS of the program's own) would come under our records. It is not offered. */
static bool takes_bytes_over(int level, int name)
{
    return (level == IPPROTO_TCP && name == TCP_ULP) || level == SOL_TLS;
}

int hook_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    struct conn *conn = protected_conn(fd);
    if (conn && conn->shared && level == SOL_SOCKET && name == SO_RCVLOWAT && !is_nowhere(value) &&
        len >= sizeof(int)) {
        int bytes;
        memcpy(&bytes, value, sizeof bytes);
        return (int)as_result(stream_set_low_water(conn, fd, bytes));
    }
    if (conn && conn->shared && level == IPPROTO_TCP && name == TCP_NODELAY)
        conn->shared->tx.nagle = false;
    if (conn && conn->shared && conn->shared->tx.kernel && level == SOL_SOCKET && name == SO_ZEROCOPY)
        return (int)as_result(-EOPNOTSUPP); /* kernel TLS has none */
    if (conn && takes_bytes_over(level, name))
        return (int)as_result(-ENOENT);
    return libc.setsockopt(fd, level, name, value, len);
}

static bool is_unproved(const struct conn *conn)
{
    const struct pending *p = conn->pending;
    return p && !p->inbound && !p->graced;
}

/* (A program may look here alone whether it is connected, without waiting for its socket.) */
int hook_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    struct conn *conn = protected_conn(fd);
    const struct pending *p;
    if (conn && is_unproved(conn))
        pending_drive(conn);
    if (conn && is_unproved(conn))
        return (int)as_result(-ENOTCONN);
    p = conn ? conn->pending : NULL;
    if (conn && !is_nowhere(addr) && !is_nowhere(len)) { /* as after a NAT: what the program dialled */
        struct dialled early;
        const struct dialled *dialled = p && pending_dialled(conn, &early) ? &early : conn->dialled;
        socklen_t room = *len;
        if (dialled && (int)room < 0)
            return (int)as_result(-EINVAL);
        if (dialled) {
            memcpy(addr, &dialled->address, room < dialled->length ? room : dialled->length);
            *len = dialled->length;
            return 0;
        }
    }
    return libc.getpeername(fd, addr, len);
}
