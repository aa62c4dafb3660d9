/* Receiving and sending: every variant becomes one operation over iovecs. */
#include <fcntl.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <string.h>

#include "base/banned.h"
#include "base/clock.h"
#include "conn/mesh.h"
#include "conn/pending/pending.h"
#include "conn/stream/stream.h"
#include "hook/entry.h"
#include "hook/message.h"

static bool has_nowhere(const struct iovec *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].iov_len && is_nowhere(v[i].iov_base))
            return true;
    return false;
}

/* EAGAIN where nothing has come, EFAULT where something has: the kernel knows, and takes nothing. */
static ssize_t read_into_nowhere(int fd, int flags)
{
    void *volatile nowhere = NULL;
    return libc.recv(fd, nowhere, 1, flags) < 0 ? -errno : -EFAULT;
}

static bool may_wait(int fd, int flags)
{
    return !(flags & MSG_DONTWAIT) && !(libc.fcntl(fd, F_GETFL, 0) & O_NONBLOCK);
}

/* As the kernel does after the program's own shutdown of this direction, which waits for the proof. */
static bool is_shut_before_proof(const struct conn *conn)
{
    const struct pending *p = conn->pending;
    return p && p->shut_write && conn_is_pending(conn);
}

static ssize_t broken_pipe(int flags)
{
    if (!(flags & MSG_NOSIGNAL))
        raise(SIGPIPE);
    return -EPIPE;
}

/*
 * Before the proof a program may say a little, as the kernel's buffer would take it: at once where it does not wait, or talks to its own
 * process, which can only answer later; else, to a listener that is slow to accept, after it has waited, for two programs may each
 * speak first. A blocking server waits for its client's proof.
 */
static bool say_early(struct conn *conn, int fd, const struct iovec *v, size_t n, int flags, ssize_t *said)
{
    const struct pending *p = conn->pending;
    struct iov in;
    if (!p || (!p->inbound && !p->graced) || has_nowhere(v, n) || pending_drive(conn) != PENDING_WAITS)
        return false;
    if ((flags & MSG_ZEROCOPY) && stream_is_zerocopy(fd))
        return false; /* what is kept is not announced */
    if (may_wait(fd, flags)) {
        if (p->inbound)
            return false;
        if (!p->is_self && pending_wait_patiently(conn, fd) != -EAGAIN)
            return false;
    }
    in = iov_of(v, n);
    *said = (ssize_t)pending_keep_early(conn, &in);
    return *said > 0;
}

/*
 * What was said early is a part of what a program that waits has to say, and many do not look at how much a call has taken: the rest follows
 * where the proof comes. To its own process, which may accept later on this very thread, it does not wait for that for long.
 */
static ssize_t say_rest(struct conn *conn, int fd, const struct iovec *v, size_t n, int flags, ssize_t early)
{
    const struct pending *p = conn->pending;
    struct iov rest = iov_of(v, n);
    bool ended = false;
    ssize_t put;
    iov_advance(&rest, (size_t)early);
    if (rest.left == 0 || !may_wait(fd, flags))
        return early;
    if (p && p->is_self && pending_wait_patiently(conn, fd) == -EAGAIN)
        return early;
    if (entry_establish(conn, fd, flags | MSG_NOSIGNAL, true, &ended) != 0 || ended)
        return early;
    put = stream_write(conn, fd, &rest, flags | MSG_NOSIGNAL);
    return put < 0 ? early : early + put;
}

/*
 * Before the first byte of a connection that is not open: true when bytes may flow. Else *result is the call's, or, where *plain is set, it has
 * turned out not to be protected.
 */
static __attribute__((noinline)) bool open_first(struct conn *conn, int fd, const struct iovec *v, size_t n,
                                                 int flags, bool send, bool *plain, ssize_t *result)
{
    bool ended = false, deaf;
    if (send && is_shut_before_proof(conn)) {
        *result = broken_pipe(flags);
        return false;
    }
    if (send && say_early(conn, fd, v, n, flags, result)) {
        *result = say_rest(conn, fd, v, n, flags, *result);
        return false;
    }
    deaf = !send && pending_is_deaf(conn);
    *result = entry_establish(conn, fd, deaf ? flags | MSG_DONTWAIT : flags, send, &ended);
    if (deaf && *result == -EAGAIN) {
        *result = 0;
        ended = true;
    }
    *plain = *result == 1;
    if (ended && send)
        *result = -EPIPE;
    return *result == 0 && !ended;
}

/*
 * One read or write of a protected connection. Sets *plain where it has turned out not to be protected: the caller then makes
 * the real call. Of most callers there is one buffer, so little of this is left where it is inlined.
 */
static inline __attribute__((always_inline)) ssize_t operate(struct conn *conn, int fd, const struct iovec *v,
                                                             size_t n, int flags, bool send, bool *plain)
{
    struct iov cursor;
    ssize_t result;
    *plain = false;
    if (__builtin_expect(conn_state(conn) != CONN_OPEN, 0) &&
        !open_first(conn, fd, v, n, flags, send, plain, &result))
        return result;
    if (__builtin_expect(has_nowhere(v, n), 0) && !(flags & MSG_TRUNC))
        return send ? -EFAULT : read_into_nowhere(fd, flags);
    cursor = iov_of(v, n);
    return send ? stream_write(conn, fd, &cursor, flags) : stream_read(conn, fd, &cursor, flags);
}

static bool bad_vector(const struct iovec *v, long n)
{
    return n < 0 || n > 1024 || (n > 0 && is_nowhere(v));
}

/* The body of every hook that takes a buffer or iovecs: `real` is the call to make for what is not ours. */
#define OPERATE(fd, v, n, flags, is_send, real)                                                              \
    do {                                                                                                     \
        struct conn *conn_ = protected_conn(fd);                                                             \
        bool plain_;                                                                                         \
        ssize_t result_;                                                                                     \
        if (__builtin_expect(!conn_, 1))                                                                     \
            return real;                                                                                     \
        result_ = operate(conn_, fd, v, (size_t)(n), flags, is_send, &plain_);                               \
        if (plain_)                                                                                          \
            return real;                                                                                     \
        return as_result(result_);                                                                           \
    } while (0)

#define BUFFER(buf, n) (&(struct iovec){ (void *)(uintptr_t)(buf), (n) })

/* ---- receiving ---- */

ssize_t hook_read(int fd, void *buf, size_t n)
{
    if (n == 0) /* 0 at once, whatever the socket's state */
        return libc.read(fd, buf, n);
    OPERATE(fd, BUFFER(buf, n), 1, 0, false, libc.read(fd, buf, n));
}

ssize_t hook___read_chk(int fd, void *buf, size_t n, size_t room)
{
    OPERATE(fd, BUFFER(buf, n <= room ? n : room), 1, 0, false, libc.__read_chk(fd, buf, n, room));
}

ssize_t hook_readv(int fd, const struct iovec *iov, int n)
{
    if (bad_vector(iov, n) || (protected_conn(fd) && iov_of(iov, (size_t)n).left == 0))
        return libc.readv(fd, iov, n);
    OPERATE(fd, iov, n, 0, false, libc.readv(fd, iov, n));
}

ssize_t hook_preadv2(int fd, const struct iovec *iov, int n, off_t offset, int flags)
{
    if (offset != -1 || bad_vector(iov, n))
        return libc.preadv2(fd, iov, n, offset, flags);
    OPERATE(fd, iov, n, flags & RWF_NOWAIT ? MSG_DONTWAIT : 0, false,
            libc.preadv2(fd, iov, n, offset, flags));
}

ssize_t hook_preadv64v2(int fd, const struct iovec *iov, int n, off64_t offset, int flags)
{
    return hook_preadv2(fd, iov, n, offset, flags);
}

ssize_t hook_recv(int fd, void *buf, size_t n, int flags)
{
    OPERATE(fd, BUFFER(buf, n), 1, flags, false, libc.recv(fd, buf, n, flags));
}

ssize_t hook___recv_chk(int fd, void *buf, size_t n, size_t room, int flags)
{
    OPERATE(fd, BUFFER(buf, n <= room ? n : room), 1, flags, false, libc.__recv_chk(fd, buf, n, room, flags));
}

/* libc reads and writes eight bytes, whatever it is. */
int hook_eventfd_read(int fd, eventfd_t *value)
{
    if (!protected_conn(fd))
        return libc.eventfd_read(fd, value);
    return hook_read(fd, value, sizeof *value) == sizeof *value ? 0 : -1;
}

int hook_eventfd_write(int fd, eventfd_t value)
{
    if (!protected_conn(fd))
        return libc.eventfd_write(fd, value);
    return hook_write(fd, &value, sizeof value) == sizeof value ? 0 : -1;
}

/* A stream has no sender's address: the kernel gives a length of 0, and looks at what the program gave when the bytes are taken. */
static ssize_t received(ssize_t result, const struct sockaddr *addr, socklen_t *len)
{
    if (result < 0 || !addr)
        return result;
    if (is_nowhere(len))
        return as_result(-EFAULT);
    if ((int)*len < 0)
        return as_result(-EINVAL);
    *len = 0;
    return result;
}

ssize_t hook_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len)
{
    if (!protected_conn(fd))
        return libc.recvfrom(fd, buf, n, flags, addr, len);
    return received(hook_recv(fd, buf, n, flags), addr, len);
}

ssize_t hook___recvfrom_chk(int fd, void *buf, size_t n, size_t room, int flags, struct sockaddr *addr,
                            socklen_t *len)
{
    if (!protected_conn(fd))
        return libc.__recvfrom_chk(fd, buf, n, room, flags, addr, len);
    return received(hook_recv(fd, buf, n <= room ? n : room, flags), addr, len);
}

ssize_t hook_recvmsg(int fd, struct msghdr *msg, int flags)
{
    struct conn *conn = protected_conn(fd);
    bool plain;
    ssize_t result;
    if (!conn)
        return message_received(libc.recvmsg(fd, msg, flags), msg, flags);
    if (is_nowhere(msg) || (flags & MSG_ERRQUEUE) || bad_vector(msg->msg_iov, (long)msg->msg_iovlen)) {
        result = libc.recvmsg(fd, msg, flags);
        if (result >= 0)
            stream_say_copied(msg);
        return result;
    }
    result = operate(conn, fd, msg->msg_iov, msg->msg_iovlen, flags, false, &plain);
    if (plain)
        return libc.recvmsg(fd, msg, flags);
    if (result >= 0) {
        msg->msg_namelen = 0;
        msg->msg_flags = 0;
        message_tell_queued(conn, fd, msg);
    }
    return as_result(result);
}

/* The kernel looks at the time after each message, and tells what is left. */
static bool time_is_over(struct timespec *limit, int64_t deadline)
{
    int64_t left = limit ? deadline - clock_ns() : 1;
    if (limit)
        *limit =
            left > 0 ? (struct timespec){ left / 1000000000, left % 1000000000 } : (struct timespec){ 0 };
    return left <= 0;
}

static bool is_odd_time(const struct timespec *limit)
{
    return limit->tv_sec < 0 || limit->tv_nsec < 0 || limit->tv_nsec >= 1000000000;
}

int hook_recvmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags, struct timespec *timeout)
{
    unsigned done = 0;
    int64_t deadline = 0;
    if (!protected_conn(fd)) {
        int got = libc.recvmmsg(fd, vec, n, flags, timeout);
        for (int i = 0; i < got; i++)
            message_received((ssize_t)vec[i].msg_len, &vec[i].msg_hdr, flags);
        return got;
    }
    if (timeout) {
        if (is_nowhere(timeout) || is_odd_time(timeout))
            return (int)as_result(is_nowhere(timeout) ? -EFAULT : -EINVAL);
        deadline = timeout->tv_sec > INT32_MAX
                       ? INT64_MAX
                       : clock_ns() + (int64_t)timeout->tv_sec * 1000000000 + timeout->tv_nsec;
    }
    while (done < n) {
        int once = (flags & ~MSG_WAITFORONE) | (done && (flags & MSG_WAITFORONE) ? MSG_DONTWAIT : 0);
        ssize_t got = hook_recvmsg(fd, &vec[done].msg_hdr, once);
        if (got < 0)
            return done ? (int)done : -1;
        vec[done++].msg_len = (unsigned)got;
        if (got == 0 || time_is_over(timeout, deadline))
            break;
    }
    return (int)done;
}

/* ---- sending ---- */

ssize_t hook_write(int fd, const void *buf, size_t n)
{
    OPERATE(fd, BUFFER(buf, n), 1, 0, true, libc.write(fd, buf, n));
}

ssize_t hook_writev(int fd, const struct iovec *iov, int n)
{
    if (bad_vector(iov, n))
        return libc.writev(fd, iov, n);
    OPERATE(fd, iov, n, 0, true, libc.writev(fd, iov, n));
}

ssize_t hook_pwritev2(int fd, const struct iovec *iov, int n, off_t offset, int flags)
{
    if (offset != -1 || bad_vector(iov, n))
        return libc.pwritev2(fd, iov, n, offset, flags);
    OPERATE(fd, iov, n, flags & RWF_NOWAIT ? MSG_DONTWAIT : 0, true,
            libc.pwritev2(fd, iov, n, offset, flags));
}

ssize_t hook_pwritev64v2(int fd, const struct iovec *iov, int n, off64_t offset, int flags)
{
    return hook_pwritev2(fd, iov, n, offset, flags);
}

ssize_t hook_send(int fd, const void *buf, size_t n, int flags)
{
    OPERATE(fd, BUFFER(buf, n), 1, flags, true, libc.send(fd, buf, n, flags));
}

/* MSG_FASTOPEN connects. The data then follows on the connection; nothing goes out before the peer is known. */
static bool connects(int fd, int flags, const struct sockaddr *addr)
{
    int type = 0;
    socklen_t length = sizeof type;
    return (flags & MSG_FASTOPEN) && mesh_state != MESH_OFF && !is_nowhere(addr) &&
           libc.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM;
}

ssize_t hook_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len)
{
    if (connects(fd, flags, addr)) {
        if (hook_connect(fd, addr, len) != 0)
            return -1;
        return hook_send(fd, buf, n, flags & ~MSG_FASTOPEN);
    }
    OPERATE(fd, BUFFER(buf, n), 1, flags, true, libc.sendto(fd, buf, n, flags, addr, len));
}

ssize_t hook_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    if (!is_nowhere(msg) && connects(fd, flags, msg->msg_name)) {
        if (hook_connect(fd, msg->msg_name, msg->msg_namelen) != 0)
            return -1;
        return hook_sendmsg(fd, msg, flags & ~MSG_FASTOPEN);
    }
    if (is_nowhere(msg) || bad_vector(msg->msg_iov, (long)msg->msg_iovlen))
        return libc.sendmsg(fd, msg, flags);
    if (!protected_conn(fd) && msg->msg_controllen)
        return message_send(fd, msg, flags);
    OPERATE(fd, msg->msg_iov, msg->msg_iovlen, flags, true, libc.sendmsg(fd, msg, flags));
}

enum { MESSAGES_MOST = 1024 }; /* of sendmmsg the kernel looks at no more at once; of recvmmsg it does */

/* A message of which a part went is the last one, as it is the kernel's: what follows belongs behind its rest. */
int hook_sendmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags)
{
    unsigned done = 0;
    bool whole = true;
    if (!protected_conn(fd) && !(flags & MSG_FASTOPEN) && !message_carries(vec, n))
        return libc.sendmmsg(fd, vec, n, flags);
    n = n < MESSAGES_MOST ? n : MESSAGES_MOST;
    while (done < n && whole) {
        const struct msghdr *message = &vec[done].msg_hdr;
        ssize_t put = hook_sendmsg(fd, message, flags);
        if (put < 0)
            return done ? (int)done : -1;
        vec[done++].msg_len = (unsigned)put;
        whole = (size_t)put >= iov_of(message->msg_iov, message->msg_iovlen).left;
    }
    return (int)done;
}

/* Both sendfiles have 64-bit offsets where we build. */
static ssize_t send_file(int out, int in, off64_t *offset, size_t n)
{
    struct conn *conn = protected_conn(out);
    bool ended;
    if (protected_conn(in)) /* a socket is no source for sendfile; programs then copy themselves */
        return as_result(-EINVAL);
    if (!conn)
        return libc.sendfile64(out, in, offset, n);
    if (conn_state(conn) != CONN_OPEN) {
        int result = entry_establish(conn, out, 0, true, &ended);
        if (result == 1)
            return libc.sendfile64(out, in, offset, n);
        if (result || ended)
            return as_result(ended ? -EPIPE : result);
    }
    return as_result(stream_sendfile(conn, out, in, offset, n));
}

ssize_t hook_sendfile(int out, int in, off_t *offset, size_t n)
{
    _Static_assert(sizeof(off_t) == sizeof(off64_t), "one sendfile serves both");
    return send_file(out, in, offset, n);
}

ssize_t hook_sendfile64(int out, int in, off64_t *offset, size_t n)
{
    return send_file(out, in, offset, n);
}
