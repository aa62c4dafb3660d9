/*
 * splice between a pipe and a protected connection. Pages cannot be moved through a cipher, so the bytes are copied; what the other side
 * does not take stays where it was: in the connection (it was only peeked at) or in the pipe (only tee'd).
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/banned.h"
#include "conn/stream/stream.h"
#include "hook/entry.h"

enum { MOST = 64 * 1024 };

/* 0 when bytes may flow, 1 when it is plain text after all, minus an errno. */
static int establish(struct conn *conn, int fd, int flags, bool send, bool *ended)
{
    *ended = false;
    return conn_state(conn) == CONN_OPEN ? 0 : entry_establish(conn, fd, flags, send, ended);
}

/* Before Linux 6.5 pipes know no RWF_NOWAIT: there the bytes go through a pipe of our own, out of which they are moved without waiting. */
static ssize_t through_own_pipe(int pipe, const void *data, size_t n)
{
    int own[2];
    ssize_t put;
    if (libc.pipe2(own, O_CLOEXEC | O_NONBLOCK) != 0)
        return -errno;
    put = libc.write(own[1], data, n);
    if (put > 0)
        put = libc.splice(own[0], NULL, pipe, NULL, (size_t)put, SPLICE_F_NONBLOCK);
    if (put < 0)
        put = -errno;
    libc.close(own[0]);
    libc.close(own[1]);
    return put;
}

static ssize_t into_pipe(int pipe, const void *data, size_t n, unsigned flags)
{
    struct iovec v = { (void *)(uintptr_t)data, n };
    ssize_t put =
        flags & SPLICE_F_NONBLOCK ? libc.pwritev2(pipe, &v, 1, -1, RWF_NOWAIT) : libc.write(pipe, data, n);
    if (put < 0 && errno == EOPNOTSUPP && (flags & SPLICE_F_NONBLOCK))
        return through_own_pipe(pipe, data, n);
    return put < 0 ? -errno : put;
}

static ssize_t from_connection(struct conn *conn, int in, int out, size_t n, unsigned flags, uint8_t *buffer)
{
    int wait = flags & SPLICE_F_NONBLOCK ? MSG_DONTWAIT : 0;
    struct iovec v = { buffer, n < MOST ? n : MOST };
    struct iov cursor = iov_of(&v, 1);
    ssize_t got = stream_read(conn, in, &cursor, wait | MSG_PEEK), put;
    if (got <= 0)
        return got;
    put = into_pipe(out, buffer, (size_t)got, flags);
    if (put <= 0)
        return put;
    v.iov_len = (size_t)put;
    cursor = iov_of(&v, 1);
    return stream_read(conn, in, &cursor, MSG_DONTWAIT | MSG_WAITALL);
}

/* How much a pipe holds; waits for something where it may. 0: its end; minus an errno. */
static ssize_t pipe_holds(int pipe, unsigned flags)
{
    struct pollfd look = { pipe, POLLIN, 0 };
    int bytes = 0;
    bool nowait = (flags & SPLICE_F_NONBLOCK) || (libc.fcntl(pipe, F_GETFL, 0) & O_NONBLOCK);
    int ready = libc.poll(&look, 1, nowait ? 0 : -1);
    if (ready < 0)
        return -errno;
    if (ready == 0)
        return -EAGAIN;
    if (libc.ioctl(pipe, FIONREAD, (long)&bytes) != 0)
        return -errno;
    return bytes;
}

/* Copies up to n bytes out of a pipe without taking them. */
static ssize_t peek_pipe(int pipe, uint8_t *buffer, size_t n)
{
    int copy[2];
    ssize_t got;
    if (libc.pipe2(copy, O_CLOEXEC) != 0)
        return -errno;
    got = tee(pipe, copy[1], n, SPLICE_F_NONBLOCK);
    if (got > 0)
        got = libc.read(copy[0], buffer, (size_t)got);
    if (got < 0)
        got = -errno;
    libc.close(copy[0]);
    libc.close(copy[1]);
    return got;
}

static ssize_t to_connection(struct conn *conn, int in, int out, size_t n, unsigned flags, uint8_t *buffer)
{
    ssize_t held = pipe_holds(in, flags), put;
    struct iovec v = { buffer, 0 };
    struct iov cursor;
    if (held <= 0)
        return held;
    if (n > MOST)
        n = MOST;
    held = peek_pipe(in, buffer, n < (size_t)held ? n : (size_t)held);
    if (held <= 0)
        return held;
    v.iov_len = (size_t)held;
    cursor = iov_of(&v, 1);
    put =
        stream_write(conn, out, &cursor,
                     (flags & SPLICE_F_NONBLOCK ? MSG_DONTWAIT : 0) | (flags & SPLICE_F_MORE ? MSG_MORE : 0));
    for (ssize_t taken = 0; taken < put;) {
        ssize_t got = libc.read(in, buffer, (size_t)(put - taken));
        if (got <= 0)
            break;
        taken += got;
    }
    return put;
}

ssize_t hook_splice(int in, off64_t *in_off, int out, off64_t *out_off, size_t n, unsigned flags)
{
    struct conn *from = protected_conn(in), *to = protected_conn(out);
    uint8_t *buffer;
    bool ended;
    ssize_t result;
    if (!from && !to)
        return libc.splice(in, in_off, out, out_off, n, flags);
    if ((from && to) || n == 0)
        return from && to ? as_result(-EINVAL) : 0; /* one side must be a pipe */
    if (from ? in_off != NULL : out_off != NULL)
        return as_result(-ESPIPE);
    result = establish(from ? from : to, from ? in : out, flags & SPLICE_F_NONBLOCK ? MSG_DONTWAIT : 0, !from,
                       &ended);
    if (result == 1)
        return libc.splice(in, in_off, out, out_off, n, flags);
    if (result || ended)
        return as_result(ended && to ? -EPIPE : result);
    buffer = malloc(MOST);
    if (!buffer)
        return as_result(-ENOMEM);
    result = from ? from_connection(from, in, out, n, flags, buffer)
                  : to_connection(to, in, out, n, flags, buffer);
    free(buffer);
    return as_result(result);
}
