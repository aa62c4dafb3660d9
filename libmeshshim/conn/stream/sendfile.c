/* sendfile(2): the file is read into the places where its records' bodies will be sealed. Where the kernel seals, it reads. See stream.h. */
#include <errno.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/scratch.h"
#include "conn/fdtable.h"
#include "conn/stream/send_parts.h"
#include "conn/stream/undo.h"

/* By the bare system calls: libc's are points at which a cancelled thread ends, which sendfile is not. */
static ssize_t read_file(int in, const struct iovec *bodies, int n, off64_t offset)
{
    if (n == 1)
        return libc.syscall(SYS_pread64, in, (long)bodies->iov_base, (long)bodies->iov_len, offset, 0, 0);
    return libc.syscall(SYS_preadv, in, (long)bodies, n, offset, 0, 0);
}

/* Reads a batch of the file straight into the places where its records' bodies will be sealed. */
static ssize_t load_file(const struct writing *w, int in, off64_t offset, size_t count, struct iovec *bodies,
                         int *n)
{
    ssize_t got;
    int most = (int)writing_batch(w);
    *n = 0;
    for (size_t left = count; left > 0 && *n < most; (*n)++) {
        size_t length = left < RECORD_PLAINTEXT ? left : RECORD_PLAINTEXT;
        bodies[*n] = (struct iovec){ w->cipher + (size_t)*n * FULL_RECORD + RECORD_HEADER, length };
        left -= length;
    }
    got = read_file(in, bodies, *n, offset);
    if (got <= 0)
        return got < 0 ? -errno : 0;
    for (int i = 0; i < *n; i++) { /* the file may be shorter */
        size_t before = (size_t)i * RECORD_PLAINTEXT;
        size_t length = (size_t)got > before ? (size_t)got - before : 0;
        if (length < bodies[i].iov_len)
            bodies[i].iov_len = length;
    }
    return got;
}

static ssize_t send_file(struct writing *w, int in, off64_t offset, size_t count)
{
    while (count > 0) {
        if (!fdtable_is(w->fd, w->conn))
            return w->done ? (ssize_t)w->done : -EBADF;
        struct iovec bodies[SCRATCH_LARGE_RECORDS];
        uint8_t last[SCRATCH_LARGE_RECORDS];
        struct iov from;
        size_t before = w->done;
        ssize_t got, put;
        int n, result = writing_push_residue(w, w->done ? w->flags | MSG_DONTWAIT : w->flags);
        if (result < 0)
            return w->done ? (ssize_t)w->done : result;
        got = load_file(w, in, offset, count, bodies, &n);
        if (got <= 0)
            return w->done ? (ssize_t)w->done : got;
        if (w->tx->owed) { /* that byte is out already: count it and read again behind it */
            struct iov first = iov_of(bodies, (size_t)n);
            if ((result = writing_settle_owed(w, &first)) < 0)
                return result;
            offset++;
            count--;
            continue;
        }
        /* In place: remember the last byte of each record before it becomes ciphertext. */
        for (int i = 0; i < n; i++)
            last[i] = bodies[i].iov_len ? ((uint8_t *)bodies[i].iov_base)[bodies[i].iov_len - 1] : 0;
        from = iov_of(bodies, (size_t)n);
        put = writing_send_batch(w, &from);
        if (put < 0)
            return w->done ? (ssize_t)w->done : put;
        if ((size_t)put == w->total) {
            w->done += w->plain;
        } else {
            result = writing_commit(w, (size_t)put, NULL);
            if (w->tx->owed)
                w->tx->owed_byte = last[(size_t)put / FULL_RECORD];
            if (result < 0 || w->done > 0)
                return w->done ? (ssize_t)w->done : result;
        }
        offset += (off64_t)(w->done - before);
        count -= w->done - before;
    }
    return (ssize_t)w->done;
}

static ssize_t send_locked(struct writing *w, int in, off64_t at, size_t count)
{
    SCRATCH_GUARD scratch = NULL;
    if (w->tx->kernel && !w->tx->error)
        return w->tx->closed || count == 0 || atomic_load(&w->conn->shared->gone)
                   ? writing_to_kernel_ended(w)
                   : writing_file_to_kernel(w, in, at, count);
    if (w->tx->error)
        return -shared_error(&w->tx->error);
    if (w->tx->closed || count == 0)
        return writing_send(w, "", 0, 0);
    w->records = (count + RECORD_PLAINTEXT - 1) / RECORD_PLAINTEXT;
    scratch = scratch_take_for(&w->records);
    w->cipher = scratch;
    return scratch ? send_file(w, in, at, count) : -ENOBUFS;
}

static ssize_t send_once(struct conn *conn, struct shared *shared, int fd, int in, off64_t at, size_t count)
{
    struct writing w = { .conn = conn, .tx = &shared->tx, .fd = fd, .before = forked_now };
    struct undo undo;
    ssize_t put;
    undo_begin(&undo, writing_abandoned, &w);
    put = writing_enter(&w, shared, 0);
    if (put == 0) {
        put = send_locked(&w, in, at, count);
        writing_leave(&w, put, false);
    }
    undo_end(&undo);
    return put;
}

ssize_t stream_sendfile(struct conn *conn, int fd, int in, off64_t *offset, size_t count)
{
    struct shared *shared = conn->shared;
    off64_t at = offset ? *offset : lseek64(in, 0, SEEK_CUR);
    ssize_t put;
    if (!shared)
        return -EBADF;
    if (at < 0)
        return offset || errno == ESPIPE ? -EINVAL : -errno;
    do
        put = send_once(conn, shared, fd, in, at, count);
    while (put == -ERESTART);
    if (put > 0) {
        if (offset)
            *offset = at + put;
        else
            lseek64(in, at + put, SEEK_SET);
    }
    if (__builtin_expect(atomic_load(&conn->closing), 0))
        conn_settle(conn);
    return put;
}
