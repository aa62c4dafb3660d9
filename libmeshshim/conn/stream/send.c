/* The sending half of stream.h: the program's bytes into records. */
#include <errno.h>
#include <fcntl.h>
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

/*
 * The kernel is to wait for room only with a copy: a forked child's can be taken away (forked.h), while the residue is everybody's. No
 * fork is let in where it need not wait.
 */
static ssize_t send_residue(struct writing *w, const uint8_t *at, size_t n, int flags)
{
    ssize_t put = writing_send(w, at, n, flags | MSG_DONTWAIT);
    if (put != -EAGAIN || (flags & MSG_DONTWAIT) || !w->cipher ||
        (libc.fcntl(w->fd, F_GETFL, 0) & O_NONBLOCK))
        return put;
    memcpy(w->cipher, at, n);
    return writing_send(w, w->cipher, n, flags);
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
        put = send_residue(w, residue + at, left, flags);
        if (put < 0 || w->lost)
            return put < 0 ? (int)put : -ERESTART;
        tx->residue_at = at + (uint32_t)put;
        tx->residue_length = left - (uint32_t)put;
    }
    arena_drop(&tx->residue, RECORD_MOST);
    return 0;
}

int writing_push_residue(struct writing *w, int flags)
{
    const struct sending *tx = w->tx;
    int result;
    if (__builtin_expect(!tx->residue_length && !tx->residue && !tx->deferred_length, 1))
        return 0;
    result = push_residue(w, flags);
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

/* With numbers that are this process' own, for it may be forked meanwhile: see forked.h. */
static bool seal_batch(struct writing *w, struct iov *in)
{
    size_t most = writing_batch(w);
    w->total = w->plain = 0;
    w->seq = w->tx->keys.seq;
    forked_admit(&w->before);
    for (w->sealed = 0; w->sealed < most && in->left > 0; w->sealed++) {
        size_t n = in->left < RECORD_PLAINTEXT ? in->left : RECORD_PLAINTEXT;
        size_t sealed = record_seal_as(w->conn->tx_aead, &w->tx->keys, w->seq + w->sealed, RECORD_DATA, in, n,
                                       w->cipher + w->total);
        if (sealed == 0)
            return false;
        w->total += sealed;
        w->plain += n;
    }
    return true;
}

/* What our parent was told is told to us, but for what the kernel took of its last record: that begins anew. */
static ssize_t leave_batch(struct writing *w, ssize_t put)
{
    if (put > 0)
        w->done += (size_t)put == w->total ? w->plain : (size_t)put / FULL_RECORD * RECORD_PLAINTEXT;
    return put < 0 ? put : -ERESTART;
}

ssize_t writing_send_batch(struct writing *w, struct iov *in)
{
    ssize_t put;
    if (record_wants_update(&w->tx->keys) || atomic_load_explicit(&w->tx->update_due, memory_order_relaxed))
        writing_update_keys(w);
    if (!writing_aead(w->conn))
        return -ENOBUFS;
    if (!seal_batch(w, in))
        return writing_owns(w) ? -ENOBUFS : -ERESTART;
    put = writing_send(w, w->cipher, w->total, w->flags);
    if (__builtin_expect(w->lost, 0))
        return leave_batch(w, put);
    if (put >= 0) {
        w->tx->keys.seq = w->seq + w->sealed;
        learn_batch(w, (size_t)put);
    }
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
    if (record_seal_padded(w->conn->tx_aead, &tx->keys, tx->keys.seq - 1, RECORD_DATA, in, n - 1, room) ==
            0 ||
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
}

void writing_abandoned(void *argument)
{
    struct writing *w = argument;
    int saved = errno;
    bool ours =
        w->entered && forked_owns(&w->tx->lock); /* else its handler has forked, and leaves in the child */
    if (!ours) {
        writing_lose(w, 0);
    } else if (!w->sleeping) {
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
    if (ours) {
        atomic_store_explicit(&w->tx->asleep, false, memory_order_relaxed);
        lock_release(&w->tx->lock);
    }
    forked_now = w->before;
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

static ssize_t write_once(struct conn *conn, struct shared *shared, int fd, struct iov in, int flags,
                          bool zerocopy)
{
    struct writing w = { .conn = conn, .tx = &shared->tx, .fd = fd, .flags = flags, .before = forked_now };
    struct undo undo;
    ssize_t put;
    undo_begin(&undo, writing_abandoned, &w);
    put = writing_enter(&w, shared, flags);
    if (put == 0) {
        w.announces = zerocopy && !w.tx->announced;
        put = write_locked(&w, &in);
        if (zerocopy && put > 0 && !w.lost)
            w.tx->announced = false;
        writing_leave(&w, put, flags & MSG_MORE);
    }
    undo_end(&undo);
    return put;
}

ssize_t stream_write(struct conn *conn, int fd, struct iov *in, int flags)
{
    struct shared *shared = conn->shared;
    ssize_t put;
    bool quiet, zerocopy, signals = !(flags & MSG_NOSIGNAL);
    if (!shared) /* closed by another thread at this very moment */
        return -EBADF;
    quiet = shared->rx.keys.seq == 0 &&
            !process_is_locked_in(); /* an alert may explain a broken pipe: no signal before we know */
    zerocopy = __builtin_expect(flags & MSG_ZEROCOPY, 0) && stream_is_zerocopy(fd);
    if (zerocopy && shared->tx.kernel)
        return -EOPNOTSUPP; /* as kernel TLS itself */
    /* A record has no urgent byte: out-of-band data goes in line, as SO_OOBINLINE shows it. */
    flags = (flags & ~(MSG_FASTOPEN | MSG_OOB | MSG_ZEROCOPY)) | (quiet ? MSG_NOSIGNAL : 0);
    if (__builtin_expect(lock_is_mine(&shared->tx.lock), 0)) {
        if (shared->tx.kernel)
            return writing_past_owner(conn, fd, in, flags);
        if (!(flags & MSG_DONTWAIT))
            return zerocopy ? -ENOBUFS
                            : writing_defer(&shared->tx, in); /* of what is deferred nobody could be told */
    }
    do
        put = write_once(conn, shared, fd, *in, flags, zerocopy);
    while (__builtin_expect(put == -ERESTART, 0));
    if (put < 0 && put != -EAGAIN) {
        ssize_t kernel = put;
        put = explain(conn, fd, put);
        if (kernel == -EPIPE && quiet && signals)
            raise(SIGPIPE);
    }
    if (__builtin_expect(atomic_load(&conn->closing), 0))
        conn_settle(conn);
    return put;
}
