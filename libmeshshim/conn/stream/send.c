/* The sending half of stream.h: the program's bytes into records. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/banned.h"
#include "base/clock.h"
#include "base/libc.h"
#include "base/log.h"
#include "base/process.h"
#include "base/scratch.h"
#include "conn/family/arena.h"
#include "conn/fdtable.h"
#include "conn/stream/send_parts.h"
#include "conn/stream/side.h"
#include "conn/stream/undo.h"

void writing_sleeps(struct writing *w)
{
    /* In this order: whoever is killed asleep has these numbers taken back, and none is ever used twice. */
    w->tx->slept_seq = w->tx->residue_length == 0 && w->plain ? w->seq : w->tx->keys.seq;
    atomic_store_explicit(&w->tx->asleep, true, memory_order_release);
    w->sleeping = true;
}

void writing_woke(struct writing *w)
{
    w->sleeping = false;
    atomic_store_explicit(&w->tx->asleep, false, memory_order_relaxed);
}

ssize_t writing_put(struct writing *w, const void *data, size_t n, int flags)
{
    ssize_t put;
    if (flags & MSG_DONTWAIT) {
        put = libc_send_now(w->fd, data, n, flags);
    } else {
        writing_sleeps(w);
        put = libc.send(w->fd, data, n, flags);
        writing_woke(w);
    }
    return put < 0 ? -errno : put;
}

ssize_t writing_send(struct writing *w, const void *data, size_t n, int flags)
{
    ssize_t put = __builtin_expect(w->announces, 0) && n ? writing_announce(w, data, n, flags)
                                                         : writing_put(w, data, n, flags);
    if (put > 0)
        w->tx->taken += (uint64_t)put;
    return put;
}

bool writing_aead(struct conn *conn)
{
    struct sending *tx = &conn->shared->tx;
    if (__builtin_expect(conn->tx_aead && conn->tx_epoch == tx->keys.epoch, 1))
        return true;
    aead_free(conn->tx_aead);
    conn->tx_aead = aead_new((enum aead_suite)tx->keys.suite, tx->keys.key);
    conn->tx_epoch = tx->keys.epoch;
    return conn->tx_aead != NULL;
}

/* Room for a record, or NULL. */
static uint8_t *residue_room(struct sending *tx)
{
    return arena_grant(&tx->residue, RECORD_MOST);
}

bool writing_keep_residue(struct sending *tx, const uint8_t *rest, size_t n)
{
    uint8_t *room = residue_room(tx);
    if (!room || n > RECORD_MOST)
        return false;
    memcpy(room, rest, n);
    tx->residue_at = 0;
    tx->residue_length = (uint32_t)n;
    return true;
}

static int push_residue(struct writing *w, int flags)
{
    struct sending *tx = w->tx;
    uint32_t left;
    while ((left = ARENA_ONCE(tx->residue_length)) > 0) {
        const uint8_t *residue = arena_at(ARENA_ONCE(tx->residue), RECORD_MOST);
        uint32_t at = ARENA_ONCE(tx->residue_at);
        ssize_t put;
        if (!residue || at > RECORD_MOST || left > RECORD_MOST - at) {
            tx->error = ECONNRESET;
            return -ECONNRESET;
        }
        put = writing_send(w, residue + at, left, flags);
        if (put < 0)
            return (int)put;
        tx->residue_at = at + (uint32_t)put;
        tx->residue_length = left - (uint32_t)put;
    }
    arena_drop(&tx->residue, RECORD_MOST);
    return 0;
}

int writing_push_residue(struct writing *w, int flags)
{
    int result = push_residue(w, flags);
    if (__builtin_expect(w->tx->deferred_length > 0, 0) && result == 0 && writing_seal_deferred(w))
        result = push_residue(w, flags);
    return result;
}

void writing_count(struct conn *conn, ssize_t put)
{
    struct sending *tx = &conn->shared->tx;
    atomic_fetch_add_explicit(&conn->counters->sent, (uint64_t)put, memory_order_relaxed);
    if (!conn->shared->inbound) {
        atomic_store_explicit(&tx->asked_ns, clock_ns(), memory_order_relaxed);
    } else if (atomic_load_explicit(&tx->asked_ns, memory_order_relaxed)) {
        int64_t asked = atomic_exchange_explicit(&tx->asked_ns, 0, memory_order_relaxed);
        if (asked)
            histogram_record(&conn->counters->latency[LATENCY_TURNAROUND],
                             (uint64_t)clock_ns() - (uint64_t)asked);
    }
}

size_t writing_batch(const struct writing *w)
{
    size_t batch = ARENA_ONCE(w->tx->batch);
    if (!batch)
        batch = SCRATCH_RECORDS;
    return batch < w->records ? batch : w->records;
}

/* A full batch that was taken may be twice as large the next time; one that was not, no larger than what was. */
static void learn_batch(struct writing *w, size_t put)
{
    size_t whole = put / FULL_RECORD, batch = writing_batch(w);
    if (put < w->total)
        w->tx->batch = whole ? (uint8_t)whole : 1;
    else if (whole == batch && batch < SCRATCH_LARGE_RECORDS)
        w->tx->batch = (uint8_t)(2 * batch < SCRATCH_LARGE_RECORDS ? 2 * batch : SCRATCH_LARGE_RECORDS);
}

static bool seal_batch(struct writing *w, struct iov *in)
{
    w->total = w->plain = 0;
    for (size_t i = writing_batch(w); i > 0 && in->left > 0; i--) {
        size_t n = in->left < RECORD_PLAINTEXT ? in->left : RECORD_PLAINTEXT;
        size_t sealed = record_seal(w->conn->tx_aead, &w->tx->keys, RECORD_DATA, in, n, w->cipher + w->total);
        if (sealed == 0)
            return false;
        w->total += sealed;
        w->plain += n;
    }
    return true;
}

ssize_t writing_send_batch(struct writing *w, struct iov *in)
{
    ssize_t put = -ENOBUFS;
    if (record_wants_update(&w->tx->keys) || atomic_load_explicit(&w->tx->update_due, memory_order_relaxed))
        writing_update_keys(w);
    if (!writing_aead(w->conn))
        return put;
    w->seq = w->tx->keys.seq;
    if (seal_batch(w, in))
        put = writing_send(w, w->cipher, w->total, w->flags);
    if (put < 0)
        w->tx->keys.seq = w->seq;
    else
        learn_batch(w, (size_t)put);
    return put;
}

/*
 * The kernel took `put` of a batch of full records that ends with a shorter one: whole records count; one of which it took
 * a part is committed; the rest never happened. Plaintext bytes of that one, 0 where there is none; or minus an errno.
 */
static ssize_t commit_records(struct writing *w, size_t put)
{
    size_t whole = put / FULL_RECORD, part = put % FULL_RECORD;
    size_t before = whole * RECORD_PLAINTEXT, n;
    w->tx->keys.seq = w->seq + whole;
    w->done += before;
    if (part == 0)
        return 0;
    n = w->plain - before < RECORD_PLAINTEXT ? w->plain - before : RECORD_PLAINTEXT;
    w->tx->keys.seq++;
    if (writing_keep_residue(w->tx, w->cipher + put, whole * FULL_RECORD + n + RECORD_OVERHEAD - put))
        return (ssize_t)n;
    w->tx->error = ENOMEM; /* half a record is out: nothing sensible can follow */
    libc.shutdown(w->fd, SHUT_RDWR);
    return -ENOMEM;
}

/*
 * A record of n bytes, of which `part` bytes are out and all but the last one are reported, need not hold that last one, as long as its
 * ciphertext is not out: sealed once more, with padding in its place, the record is as long and begins with the same bytes, and what the
 * program says next may be anything. (It may be: iperf3 begins its block anew.) Only one of the two ends ever leaves. Where the
 * beginning is another, the program has changed its buffer meanwhile, and the record stays as it was.
 */
static bool shorten(struct writing *w, const uint8_t *record, size_t part, struct iov *in, size_t n)
{
    struct sending *tx = w->tx;
    uint8_t *room = residue_room(tx);
    if (n < 2 || part >= RECORD_HEADER + n || !room)
        return false;
    tx->keys.seq--;
    if (record_seal_padded(w->conn->tx_aead, &tx->keys, RECORD_DATA, in, n - 1, room) == 0 ||
        memcmp(room, record, part) != 0) {
        writing_keep_residue(tx, record + part, n + RECORD_OVERHEAD - part);
        return false;
    }
    tx->residue_at = (uint32_t)part;
    tx->residue_length = (uint32_t)(n + RECORD_OVERHEAD - part);
    return true;
}

int writing_commit(struct writing *w, size_t put, const struct iov *batch)
{
    size_t whole = put / FULL_RECORD, part = put % FULL_RECORD;
    ssize_t n = commit_records(w, put);
    struct iov at, from;
    struct iovec last;
    if (n <= 0)
        return (int)n;
    w->done += (size_t)n - 1;
    w->tx->owed = true;
    if (!batch)
        return 0;
    at = *batch;
    iov_advance(&at, whole * RECORD_PLAINTEXT);
    from = at;
    if (shorten(w, w->cipher + whole * FULL_RECORD, part, &from, (size_t)n)) {
        w->tx->owed = false;
    } else {
        iov_advance(&at, (size_t)n - 1);
        last = iov_span(&at, 1);
        w->tx->owed_byte = *(const uint8_t *)last.iov_base;
    }
    return 0;
}

/* What the kernel has taken from one who sleeps and does not come back, of the residue or, else, of a batch. */
static uint64_t taken_from_sleeper(struct writing *w)
{
    struct sending *tx = w->tx;
    uint64_t taken = writing_taken(w->fd), put = taken - tx->taken;
    uint32_t residue = ARENA_ONCE(tx->residue_length);
    if (taken == 0) { /* what the kernel has may not be sealed once more, and nobody knows what it has */
        tx->error = ECONNRESET;
        return 0;
    }
    tx->taken = taken;
    if (residue == 0)
        return put;
    if (put > residue) {
        tx->error = ECONNRESET; /* somebody else has written to the socket */
        return 0;
    }
    tx->residue_at += (uint32_t)put;
    tx->residue_length = residue - (uint32_t)put;
    if (put == residue)
        arena_drop(&tx->residue, RECORD_MOST);
    return 0;
}

void writing_take_over(struct writing *w)
{
    if (w->tx->kernel) /* it has what it has, and counts its records itself */
        return;
    if (taken_from_sleeper(w) != 0)
        w->tx->error = ECONNRESET; /* the rest of the record died with its process */
    if (!w->tx->error)
        w->tx->keys.seq = w->tx->slept_seq;
}

void writing_abandoned(void *argument)
{
    struct writing *w = argument;
    int saved = errno;
    if (!w->sleeping) {
        w->tx->error = ECONNRESET; /* between two calls: nothing sensible can follow */
    } else if (!w->tx->kernel) {
        bool batch = w->tx->residue_length == 0;
        uint64_t put = taken_from_sleeper(w);
        if (put > w->total) /* somebody else has written to the socket */
            w->tx->error = ECONNRESET;
        else if (batch && w->plain && !w->tx->error) /* an empty write has sealed nothing */
            commit_records(w, put);
    }
    if (w->cipher)
        scratch_give(w->cipher);
    atomic_store_explicit(&w->tx->asleep, false, memory_order_relaxed);
    lock_release(&w->tx->lock);
    errno = saved;
}

/* The program comes back with the byte that was committed but not reported: see shorten() for why that is seldom. */
int writing_settle_owed(struct writing *w, struct iov *in)
{
    struct iovec first = iov_span(in, 1);
    if (first.iov_len == 0)
        return 0;
    if (*(const uint8_t *)first.iov_base != w->tx->owed_byte) {
        log_error("%.255s: the program sent other bytes than those of which it had offered a part; the "
                  "connection is ended",
                  conn_peer(w->conn));
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
        if (!fdtable_is(w->fd, w->conn)) /* closed while we slept: the number may be another socket's */
            return w->done ? (ssize_t)w->done : -EBADF;
        struct iov batch;
        ssize_t put;
        int result = writing_push_residue(w, w->done ? w->flags | MSG_DONTWAIT : w->flags);
        if (result < 0)
            return w->done ? (ssize_t)w->done : result;
        if (w->tx->owed && (result = writing_settle_owed(w, in)) < 0)
            return result;
        if (in->left == 0)
            break;
        batch = *in;
        put = writing_send_batch(w, in);
        if (put < 0)
            return w->done ? (ssize_t)w->done : put;
        if ((size_t)put == w->total) {
            w->done += w->plain;
            continue;
        }
        result = writing_commit(w, (size_t)put, &batch);
        if (result < 0 || w->done > 0)
            return w->done ? (ssize_t)w->done : result;
        *in = batch; /* one byte was offered and committed: wait as the program would */
    }
    return (ssize_t)w->done;
}

/* The program leaves Nagle on; its first bytes must not wait for the acknowledgement of our Finished. */
void writing_push_first(struct conn *conn, int fd)
{
    int on = 1, off = 0;
    conn->shared->tx.nagle = false;
    libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &off, sizeof off);
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

/*
 * Writing has ended: the kernel's own answer, EPIPE and its signal. Where reading was shut down too, the peer's goodbye has been
 * answered by a reset, of which a plain connection would not know: it is asked again.
 */
static ssize_t write_ended(struct writing *w)
{
    ssize_t put = writing_send(w, "", 0, w->flags);
    if (put == -ECONNRESET && w->conn->shared->rx.reset_told)
        put = writing_send(w, "", 0, w->flags);
    return put;
}

static ssize_t write_locked(struct writing *w, struct iov *in)
{
    SCRATCH_GUARD scratch = NULL;
    if (w->tx->error)
        return -shared_error(&w->tx->error);
    if (w->conn->shared->rx.error == EACCES)
        return -EACCES;
    if (w->tx->kernel)
        return w->tx->closed || in->left == 0 ||
                       atomic_load_explicit(&w->conn->shared->gone, memory_order_relaxed)
                   ? writing_to_kernel_ended(w)
                   : writing_to_kernel(w, in);
    if (w->tx->closed)
        return write_ended(w);
    if (in->left == 0)
        return writing_send(w, "", 0, w->flags);
    w->records = (in->left + RECORD_PLAINTEXT - 1) / RECORD_PLAINTEXT;
    scratch = scratch_take_for(&w->records);
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
    bool quiet, zerocopy;
    int busy;
    if (!shared) /* closed by another thread at this very moment */
        return -EBADF;
    w.tx = &shared->tx;
    quiet = shared->rx.keys.seq == 0 &&
            !process_is_locked_in(); /* an alert may explain a broken pipe: no signal before we know */
    zerocopy = __builtin_expect(flags & MSG_ZEROCOPY, 0) && stream_is_zerocopy(fd);
    if (zerocopy && w.tx->kernel)
        return -EOPNOTSUPP; /* as kernel TLS itself */
    /* A record has no urgent byte: out-of-band data goes in line, as SO_OOBINLINE shows it. */
    w.flags = (flags & ~(MSG_FASTOPEN | MSG_OOB | MSG_ZEROCOPY)) | (quiet ? MSG_NOSIGNAL : 0);
    if (__builtin_expect(lock_is_mine(&w.tx->lock), 0) && w.tx->kernel)
        return writing_past_owner(conn, fd, in, w.flags);
    if (__builtin_expect(lock_is_mine(&w.tx->lock), 0) && !(flags & MSG_DONTWAIT))
        return zerocopy ? -ENOBUFS : writing_defer(w.tx, in); /* of what is deferred nobody could be told */
    busy = side_take(&w.tx->lock, &w.tx->asleep, fd, flags);
    if (busy == -EIO)
        w.tx->error = ECONNRESET; /* its owner died in the middle of a record */
    else if (busy == -EOWNERDEAD)
        writing_take_over(&w);
    else if (busy)
        return busy;
    {
        LOCK_GUARD guard = &w.tx->lock;
        struct undo undo;
        (void)guard;
        if (!conn_is_current(conn, fd, shared))
            return -EBADF;
        w.announces = zerocopy && !w.tx->announced;
        undo_begin(&undo, writing_abandoned, &w);
        put = write_locked(&w, in);
        undo_end(&undo);
        if (zerocopy && put > 0)
            w.tx->announced = false;
        if (put > 0 && __builtin_expect(w.tx->nagle, 0) && !(flags & MSG_MORE))
            writing_push_first(conn, fd);
        if (put > 0)
            writing_count(conn, put);
    }
    if (__builtin_expect(w.tx->deferred_length > 0, 0))
        writing_flush_deferred(conn, fd);
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
