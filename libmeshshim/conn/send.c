/* The sending half of stream.h. */
#include "conn/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/clock.h"
#include "base/libc.h"
#include "base/log.h"
#include "base/scratch.h"
#include "conn/arena.h"
#include "conn/fdtable.h"
#include "tls/record.h"

enum { FULL_RECORD = RECORD_PLAINTEXT + RECORD_OVERHEAD };

/* Where a write stands. */
struct writing {
    struct conn *conn;
    struct sending *tx;
    int fd, flags;
    uint8_t *cipher; /* scratch */
    size_t done;     /* plaintext bytes to report */
};

static ssize_t kernel_send(struct writing *w, const void *data, size_t n, int flags)
{
    ssize_t put;
    atomic_store_explicit(&w->tx->asleep, !(flags & MSG_DONTWAIT), memory_order_relaxed);
    put = libc.send(w->fd, data, n, flags);
    atomic_store_explicit(&w->tx->asleep, false, memory_order_relaxed);
    return put < 0 ? -errno : put;
}

static bool have_aead(struct conn *conn)
{
    struct sending *tx = &conn->shared->tx;
    if (__builtin_expect(conn->tx_aead && conn->tx_epoch == tx->keys.epoch, 1))
        return true;
    aead_free(conn->tx_aead);
    conn->tx_aead = aead_new((enum aead_suite)tx->keys.suite, tx->keys.key);
    conn->tx_epoch = tx->keys.epoch;
    return conn->tx_aead != NULL;
}

/* ---- what the kernel did not take ---- */

static bool keep_residue(struct sending *tx, const uint8_t *rest, size_t n)
{
    if (!tx->residue)
        tx->residue = arena_alloc(RECORD_MOST);
    if (!tx->residue)
        return false;
    memcpy(tx->residue, rest, n);
    tx->residue_at = 0;
    tx->residue_length = (uint32_t)n;
    return true;
}

/* Sends what is left of a committed record. 0 when all of it is out. */
static int push_residue(struct writing *w, int flags)
{
    struct sending *tx = w->tx;
    while (tx->residue_length > 0) {
        ssize_t put = kernel_send(w, tx->residue + tx->residue_at, tx->residue_length, flags);
        if (put < 0)
            return (int)put;
        tx->residue_at += (uint32_t)put;
        tx->residue_length -= (uint32_t)put;
    }
    arena_free(tx->residue, RECORD_MOST);
    tx->residue = NULL;
    return 0;
}

/*
 * A record without data (alert, key update). Nothing of it may be lost once a byte is out, so what the kernel does not take
 * becomes residue. True when it is out or kept.
 */
static bool send_message(struct writing *w, uint8_t type, const uint8_t *body, size_t n, int flags)
{
    uint8_t record[64];
    struct iovec span = { (void *)(uintptr_t)body, n };
    struct iov in = iov_of(&span, 1);
    uint64_t seq = w->tx->keys.seq;
    size_t total;
    ssize_t put;
    if (!have_aead(w->conn) || push_residue(w, flags | MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return false;
    total = record_seal(w->conn->tx_aead, &w->tx->keys, type, &in, n, record);
    if (total == 0)
        return false;
    put = kernel_send(w, record, total, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put <= 0) {
        w->tx->keys.seq = seq;
        return false;
    }
    return (size_t)put == total || keep_residue(w->tx, record + put, total - (size_t)put);
}

static void update_keys(struct writing *w)
{
    static const uint8_t key_update[] = { 24, 0, 0, 1, 0 }; /* update_not_requested, RFC 8446 §4.6.3 */
    if (send_message(w, RECORD_HANDSHAKE, key_update, sizeof key_update, 0) && keys_update(&w->tx->keys))
        atomic_store(&w->tx->update_due, false);
}

/* ---- the program's bytes ---- */

/* Seals up to a scratch's worth from `in`; *plain is how much of it. Returns the ciphertext's length, 0 on failure. */
static size_t seal_batch(struct writing *w, struct iov *in, size_t *plain)
{
    size_t total = 0;
    *plain = 0;
    for (int i = 0; i < SCRATCH_RECORDS && in->left > 0; i++) {
        size_t n = in->left < RECORD_PLAINTEXT ? in->left : RECORD_PLAINTEXT;
        size_t sealed = record_seal(w->conn->tx_aead, &w->tx->keys, RECORD_DATA, in, n, w->cipher + total);
        if (sealed == 0)
            return 0;
        total += sealed;
        *plain += n;
    }
    return total;
}

/*
 * The kernel took `put` of a batch of full records that ends with a shorter one: whole records count; one of which it took
 * a part is committed; the rest never happened.
 */
static int commit(struct writing *w, size_t put, size_t total, size_t plain, uint64_t first_seq,
                  const struct iov *batch)
{
    size_t whole = put / FULL_RECORD, part = put % FULL_RECORD;
    size_t before = whole * RECORD_PLAINTEXT, n;
    struct iov at = *batch;
    struct iovec last;
    if (part == 0) {
        w->tx->keys.seq = first_seq + whole;
        w->done += before;
        return 0;
    }
    n = plain - before < RECORD_PLAINTEXT ? plain - before : RECORD_PLAINTEXT;
    w->tx->keys.seq = first_seq + whole + 1;
    if (!keep_residue(w->tx, w->cipher + put, whole * FULL_RECORD + n + RECORD_OVERHEAD - put)) {
        w->tx->error = ENOMEM; /* half a record is out: nothing sensible can follow */
        libc.shutdown(w->fd, SHUT_RDWR);
        return -ENOMEM;
    }
    iov_advance(&at, before + n - 1);
    last = iov_span(&at, 1);
    w->tx->owed = true;
    w->tx->owed_byte = *(const uint8_t *)last.iov_base;
    w->done += before + n - 1;
    (void)total;
    return 0;
}

/* The program comes back with the byte that was committed but not reported. */
static int settle_owed(struct writing *w, struct iov *in)
{
    struct iovec first = iov_span(in, 1);
    if (first.iov_len == 0)
        return 0;
    if (*(const uint8_t *)first.iov_base != w->tx->owed_byte) {
        log_error("%s: the program sent other bytes than those of which it had offered a part; the connection is ended",
                  w->conn->peer_id ? w->conn->peer_id : "the peer");
        w->tx->error = ECONNRESET;
        libc.shutdown(w->fd, SHUT_RDWR);
        return -ECONNRESET;
    }
    iov_advance(in, 1);
    w->tx->owed = false;
    w->done++;
    return 0;
}

static ssize_t write_records(struct writing *w, struct iov *in)
{
    while (in->left > 0 || w->tx->residue_length > 0) {
        struct iov batch;
        size_t plain, total;
        uint64_t seq;
        ssize_t put;
        int result = push_residue(w, w->done ? w->flags | MSG_DONTWAIT : w->flags);
        if (result < 0)
            return w->done ? (ssize_t)w->done : result;
        if (w->tx->owed && (result = settle_owed(w, in)) < 0)
            return result;
        if (in->left == 0)
            break;
        if (record_wants_update(&w->tx->keys) || atomic_load_explicit(&w->tx->update_due, memory_order_relaxed))
            update_keys(w);
        if (!have_aead(w->conn))
            return w->done ? (ssize_t)w->done : -ENOBUFS;
        batch = *in;
        seq = w->tx->keys.seq;
        total = seal_batch(w, in, &plain);
        if (total == 0) {
            w->tx->keys.seq = seq;
            return w->done ? (ssize_t)w->done : -ENOBUFS;
        }
        put = kernel_send(w, w->cipher, total, w->flags);
        if (put < 0) {
            w->tx->keys.seq = seq;
            return w->done ? (ssize_t)w->done : put;
        }
        if ((size_t)put == total) {
            w->done += plain;
            continue;
        }
        result = commit(w, (size_t)put, total, plain, seq, &batch);
        if (result < 0 || w->done > 0)
            return w->done ? (ssize_t)w->done : result;
        *in = batch; /* one byte was offered and committed: wait as the program would */
    }
    return (ssize_t)w->done;
}

/* ---- around a write ---- */

static int take_side(struct sending *tx, int fd, int flags)
{
    switch (lock_try(&tx->lock)) {
    case LOCK_TAKEN:
        return 0;
    case LOCK_MINE:
        return -EAGAIN;
    default:
        break;
    }
    if (atomic_load_explicit(&tx->asleep, memory_order_relaxed) &&
        ((flags & MSG_DONTWAIT) || (libc.fcntl(fd, F_GETFL, 0) & O_NONBLOCK)))
        return -EAGAIN;
    switch (lock_take(&tx->lock)) {
    case LOCK_MINE:
        return -EAGAIN;
    case LOCK_ORPHAN:
        tx->error = ECONNRESET; /* its owner died in the middle of a record */
        return 0;
    default:
        return 0;
    }
}

/* The program leaves Nagle on; its first bytes must not wait for the acknowledgement of our Finished. */
static void push_first(struct conn *conn, int fd)
{
    int on = 1, off = 0;
    conn->shared->tx.nagle = false;
    libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &off, sizeof off);
}

static void count_sent(struct conn *conn, ssize_t put)
{
    struct sending *tx = &conn->shared->tx;
    atomic_fetch_add_explicit(&conn->counters->sent, (uint64_t)put, memory_order_relaxed);
    if (!conn->shared->inbound) {
        atomic_store_explicit(&tx->asked_ns, clock_ns(), memory_order_relaxed);
    } else if (atomic_load_explicit(&tx->asked_ns, memory_order_relaxed)) {
        int64_t asked = atomic_exchange_explicit(&tx->asked_ns, 0, memory_order_relaxed);
        if (asked)
            histogram_record(&conn->counters->latency[LATENCY_TURNAROUND], (uint64_t)(clock_ns() - asked));
    }
}

/*
 * The kernel says that the connection is gone; where the peer has never sent data, the reason may be waiting as an alert: it does not
 * accept us. That is what the program should hear.
 */
static ssize_t explain(struct conn *conn, int fd, ssize_t error)
{
    struct shared *shared = conn->shared;
    struct receiving *rx;
    if (!shared)
        return error;
    rx = &shared->rx;
    if ((error != -EPIPE && error != -ECONNRESET) || rx->keys.seq > 0)
        return rx->error == EACCES ? -EACCES : error;
    stream_drain_control(conn, fd);
    return rx->error == EACCES ? -EACCES : error;
}

static ssize_t write_locked(struct writing *w, struct iov *in)
{
    SCRATCH_GUARD scratch = NULL;
    if (w->tx->error)
        return -w->tx->error;
    if (w->conn->shared->rx.error == EACCES)
        return -EACCES;
    if (w->tx->closed || in->left == 0) /* the kernel's own answer: EPIPE and its signal, or nothing */
        return kernel_send(w, "", 0, w->flags);
    scratch = scratch_take();
    if (!scratch)
        return -ENOBUFS;
    w->cipher = scratch;
    return write_records(w, in);
}

ssize_t stream_write(struct conn *conn, int fd, struct iov *in, int flags)
{
    struct shared *shared = conn->shared;
    struct writing w = { .conn = conn, .fd = fd };
    ssize_t put;
    bool quiet;
    int busy;
    if (!shared) /* closed by another thread at this very moment */
        return -EBADF;
    w.tx = &shared->tx;
    quiet = shared->rx.keys.seq == 0; /* an alert may explain a broken pipe: no signal before we know */
    if (flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (flags & MSG_ZEROCOPY)
        return -ENOBUFS; /* as the kernel when it has no room for notifications: programs then copy */
    w.flags = (flags & ~MSG_FASTOPEN) | (quiet ? MSG_NOSIGNAL : 0);
    busy = take_side(w.tx, fd, flags);
    if (busy)
        return busy;
    {
        LOCK_GUARD guard = &w.tx->lock;
        (void)guard;
        if (fdtable_get(fd) != conn || conn->shared != shared)
            return -EBADF;
        put = write_locked(&w, in);
        if (put > 0 && __builtin_expect(w.tx->nagle, 0) && !(flags & MSG_MORE))
            push_first(conn, fd);
        if (put > 0)
            count_sent(conn, put);
    }
    if (put < 0 && put != -EAGAIN) {
        ssize_t kernel = put;
        put = explain(conn, fd, put);
        if (kernel == -EPIPE && quiet && !(flags & MSG_NOSIGNAL))
            raise(SIGPIPE);
    }
    if (__builtin_expect(atomic_load(&conn->closing), 0))
        conn_settle(conn);
    return put;
}

/* For what the library sends by itself: not while another thread is sending. */
static bool take_quietly(struct writing *w)
{
    struct shared *shared = w->conn->shared;
    if (!shared)
        return false;
    w->tx = &shared->tx;
    return lock_try(&w->tx->lock) == LOCK_TAKEN;
}

void stream_answer_update(struct conn *conn, int fd)
{
    struct writing w = { .conn = conn, .fd = fd };
    if (!take_quietly(&w))
        return;
    if (!w.tx->closed && !w.tx->error)
        update_keys(&w);
    lock_release(&w.tx->lock);
}

void stream_send_alert(struct conn *conn, int fd, uint8_t alert)
{
    struct writing w = { .conn = conn, .fd = fd };
    const uint8_t body[2] = { 2, alert }; /* fatal */
    if (!take_quietly(&w))
        return;
    if (!w.tx->closed && !w.tx->error) {
        send_message(&w, RECORD_ALERT, body, sizeof body, 0);
        w.tx->closed = true;
        w.tx->error = EPIPE;
    }
    lock_release(&w.tx->lock);
}

/*
 * A full send buffer must not swallow the goodbye: nothing of the program follows, so the buffer may grow by it.
 * (Where the last queued segment has room the kernel takes it anyway.)
 */
static void widen_buffer(int fd)
{
    int size = 0;
    socklen_t length = sizeof size;
    if (libc.getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &length) == 0) {
        size += RECORD_MOST; /* the kernel doubles it */
        libc.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
}

void stream_finish(struct conn *conn, int fd)
{
    struct writing w = { .conn = conn, .fd = fd };
    static const uint8_t close_notify[2] = { 1, ALERT_CLOSE_NOTIFY };
    int saved = errno;
    if (!take_quietly(&w))
        return;
    if (!w.tx->closed && !w.tx->error) {
        /* MSG_MORE: the kernel's FIN, which follows at once, carries it. */
        if (!send_message(&w, RECORD_ALERT, close_notify, sizeof close_notify, MSG_MORE) || w.tx->residue_length) {
            widen_buffer(fd);
            if (w.tx->residue_length)
                push_residue(&w, MSG_DONTWAIT | MSG_NOSIGNAL);
            else
                send_message(&w, RECORD_ALERT, close_notify, sizeof close_notify, MSG_MORE);
        }
        w.tx->closed = true;
    }
    lock_release(&w.tx->lock);
    errno = saved;
}

/* ---- files ---- */

/* Reads a batch of the file straight into the places where its records' bodies will be sealed. */
static ssize_t load_file(int in, off64_t offset, size_t count, uint8_t *cipher, struct iovec *bodies, int *n)
{
    ssize_t got;
    *n = 0;
    for (size_t left = count; left > 0 && *n < SCRATCH_RECORDS; (*n)++) {
        size_t length = left < RECORD_PLAINTEXT ? left : RECORD_PLAINTEXT;
        bodies[*n] = (struct iovec){ cipher + (size_t)*n * FULL_RECORD + RECORD_HEADER, length };
        left -= length;
    }
    got = preadv64(in, bodies, *n, offset);
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
        struct iovec bodies[SCRATCH_RECORDS];
        struct iov from, batch;
        size_t plain, total, before = w->done;
        uint64_t seq;
        ssize_t got, put;
        int n, result = push_residue(w, w->done ? w->flags | MSG_DONTWAIT : w->flags);
        if (result < 0)
            return w->done ? (ssize_t)w->done : result;
        got = load_file(in, offset, count, w->cipher, bodies, &n);
        if (got <= 0)
            return w->done ? (ssize_t)w->done : got;
        if (w->tx->owed) { /* that byte is out already: count it and read again behind it */
            struct iov first = iov_of(bodies, (size_t)n);
            if ((result = settle_owed(w, &first)) < 0)
                return result;
            offset++;
            count--;
            continue;
        }
        if (record_wants_update(&w->tx->keys) || atomic_load(&w->tx->update_due))
            update_keys(w);
        if (!have_aead(w->conn))
            return w->done ? (ssize_t)w->done : -ENOBUFS;
        from = iov_of(bodies, (size_t)n);
        seq = w->tx->keys.seq;
        /* In place: remember the last byte of each record before it becomes ciphertext. */
        uint8_t last[SCRATCH_RECORDS];
        struct iovec lasts[SCRATCH_RECORDS];
        for (int i = 0; i < n; i++) {
            last[i] = bodies[i].iov_len ? ((uint8_t *)bodies[i].iov_base)[bodies[i].iov_len - 1] : 0;
            lasts[i] = (struct iovec){ &last[i], 1 };
        }
        total = seal_batch(w, &from, &plain);
        if (total == 0) {
            w->tx->keys.seq = seq;
            return w->done ? (ssize_t)w->done : -ENOBUFS;
        }
        put = kernel_send(w, w->cipher, total, w->flags);
        if (put < 0) {
            w->tx->keys.seq = seq;
            return w->done ? (ssize_t)w->done : put;
        }
        if ((size_t)put == total) {
            w->done += plain;
        } else {
            batch = iov_of(bodies, (size_t)n);
            result = commit(w, (size_t)put, total, plain, seq, &batch);
            if (w->tx->owed)
                w->tx->owed_byte = *(uint8_t *)lasts[(size_t)put / FULL_RECORD].iov_base;
            if (result < 0 || w->done > 0)
                return w->done ? (ssize_t)w->done : result;
        }
        offset += (off64_t)(w->done - before);
        count -= w->done - before;
    }
    return (ssize_t)w->done;
}

ssize_t stream_sendfile(struct conn *conn, int fd, int in, off64_t *offset, size_t count)
{
    struct shared *shared = conn->shared;
    struct writing w = { .conn = conn, .fd = fd };
    off64_t at = offset ? *offset : lseek64(in, 0, SEEK_CUR);
    ssize_t put;
    int busy;
    if (!shared)
        return -EBADF;
    w.tx = &shared->tx;
    if (at < 0)
        return offset || errno == ESPIPE ? -EINVAL : -errno;
    busy = take_side(w.tx, fd, 0);
    if (busy)
        return busy;
    {
        LOCK_GUARD guard = &w.tx->lock;
        SCRATCH_GUARD scratch = NULL;
        (void)guard;
        if (fdtable_get(fd) != conn || conn->shared != shared)
            return -EBADF;
        if (w.tx->error || w.tx->closed || count == 0) {
            put = w.tx->error ? -w.tx->error : kernel_send(&w, "", 0, 0);
        } else {
            scratch = scratch_take();
            w.cipher = scratch;
            put = scratch ? send_file(&w, in, at, count) : -ENOBUFS;
        }
        if (put > 0 && w.tx->nagle)
            push_first(conn, fd);
        if (put > 0)
            count_sent(conn, put);
    }
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
