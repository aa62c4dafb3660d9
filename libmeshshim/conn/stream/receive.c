/* The receiving half of stream.h: records into the program's buffer. */
#include <errno.h>
#include <string.h>

#include "base/banned.h"
#include "base/clock.h"
#include "base/libc.h"
#include "base/scratch.h"
#include "conn/family/arena.h"
#include "conn/fdtable.h"
#include "conn/stream/receive_parts.h"
#include "conn/stream/side.h"
#include "conn/stream/undo.h"

enum { EMPTY_RECORDS = 64 }; /* in a row, before a peer that sends nothing but them is cut off */

/* The lock is our parent's. What the kernel has opened it has given to both; of a record we have only a copy. */
static ssize_t lose(struct reading *r, ssize_t got, int error)
{
    r->lost = true;
    r->sleeping = false;
    if (r->call.scratch)
        scratch_open(r->call.scratch);
    r->call.scratch = NULL;
    forked_admit(&r->before);
    if (got >= 0 && r->rx->kernel)
        return got;
    return got < 0 && error == EINTR ? -EINTR : -ERESTART;
}

/* From here on no fork is let in, and none has been since the lock was taken. */
static inline bool owns(struct reading *r)
{
    forked_refuse();
    if (__builtin_expect(forked_owns(&r->rx->lock), 1))
        return true;
    lose(r, -1, 0);
    return false;
}

static ssize_t receive(struct reading *r, void *to, size_t n, int flags)
{
    forked_call_begin(&r->call, r->rx->kernel ? NULL : r->cipher);
    forked_admit(&r->before);
    return flags & MSG_DONTWAIT ? libc_recv_now(r->fd, to, n, flags) : libc.recv(r->fd, to, n, flags);
}

ssize_t reading_recv(struct reading *r, void *to, size_t n, int flags)
{
    ssize_t got;
    if (!owns(r))
        return -ERESTART;
    if (!(flags & MSG_DONTWAIT)) {
        if (r->length || r->rx->carry_length) /* whoever does not come back leaves it to the next reader */
            reading_save_carry(r, 0);
        atomic_store_explicit(&r->rx->asleep, true, memory_order_relaxed);
        r->sleeping = true;
    }
    got = receive(r, to, n, flags);
    forked_refuse();
    forked_call_end(&r->call);
    if (__builtin_expect(!forked_owns(&r->rx->lock), 0))
        return lose(r, got, errno);
    if (r->sleeping) {
        r->sleeping = false;
        atomic_store_explicit(&r->rx->asleep, false, memory_order_relaxed);
    }
    return got < 0 ? reading_failed(r, errno) : got;
}

void reading_abandoned(void *argument)
{
    struct reading *r = argument;
    int saved = errno;
    bool ours =
        r->entered && forked_owns(&r->rx->lock); /* else its handler has forked, and leaves in the child */
    if (!ours)
        lose(r, 0, 0);
    else if (!r->sleeping)
        r->rx->error = ECONNRESET; /* between two calls: nothing sensible can follow */
    if (r->cipher)
        scratch_give(r->cipher);
    if (ours) {
        arena_free(r->sink, RECORD_PLAINTEXT);
        atomic_store_explicit(&r->rx->asleep, false, memory_order_relaxed);
        lock_release(&r->rx->lock);
    }
    forked_now = r->before;
    errno = saved;
}

int reading_enter(struct reading *r, const struct shared *shared)
{
    int busy = side_take(&r->rx->lock, &r->rx->asleep, r->fd, r->flags);
    if (busy && busy != -EIO && busy != -EOWNERDEAD) /* a sleeper has left everything in order */
        return busy;
    r->entered = true;
    if (busy == -EIO) {
        r->rx->error = ECONNRESET;
        reading_leave(r);
        return -ECONNRESET;
    }
    if (conn_is_current(r->conn, r->fd, shared)) /* not closed, perhaps reused, while we waited */
        return 0;
    reading_leave(r);
    return -EBADF;
}

void reading_leave(struct reading *r)
{
    r->cipher = r->sink = NULL; /* given back */
    if (__builtin_expect(r->lost, 0))
        return;
    lock_release(&r->rx->lock);
    forked_admit(&r->before);
}

bool reading_aead(struct conn *conn)
{
    struct receiving *rx = &conn->shared->rx;
    if (__builtin_expect(conn->rx_aead && conn->rx_epoch == rx->keys.epoch, 1))
        return true;
    aead_free(conn->rx_aead);
    conn->rx_aead = aead_new((enum aead_suite)rx->keys.suite, rx->keys.key);
    conn->rx_epoch = rx->keys.epoch;
    return conn->rx_aead != NULL;
}

int reading_wait_flags(const struct reading *r)
{
    int flags = r->flags & (MSG_DONTWAIT | MSG_NOSIGNAL | MSG_CMSG_CLOEXEC);
    if (r->done > 0 && !(r->flags & MSG_WAITALL) && r->done >= r->rx->low_water)
        flags |= MSG_DONTWAIT;
    return flags;
}

int reading_control(struct reading *r, const struct record *record, struct iov at)
{
    uint8_t alert[2];

    if (++r->rx->empty > EMPTY_RECORDS)
        return reading_fail_protocol(r, ALERT_UNEXPECTED_MESSAGE);
    if (record->type == RECORD_HANDSHAKE)
        return reading_handshake(r, at, record->length);
    iov_take(&at, alert, record->length < sizeof alert ? record->length : sizeof alert);
    return reading_alert(r, alert, record->length);
}

/* An alert or a KeyUpdate: what it says must not show in a buffer where the program gets no data. */
enum { ASIDE = 8 };

/* Where a record of `room` bytes is opened to that does not fit: what the program has room for, in one piece, and behind what is kept. */
static bool place(struct receiving *rx, size_t room, const struct iov *out, struct iovec spans[2])
{
    struct iovec direct = { NULL, 0 };
    if (out && room > ASIDE)
        direct = iov_span(out, out->left);
    if (out && direct.iov_len < out->left)
        direct.iov_len = 0;
    spans[0] = direct;
    spans[1].iov_len = room - direct.iov_len;
    spans[1].iov_base = reading_make_room(rx, spans[1].iov_len + 1);
    return spans[1].iov_base != NULL;
}

int reading_open(struct reading *r, size_t at, size_t total, struct iov *out, bool keep)
{
    struct receiving *rx = r->rx;
    size_t room = total - RECORD_OVERHEAD, direct;
    bool aside = !keep && room <= ASIDE;
    uint8_t small[ASIDE];
    struct record record;
    struct iovec spans[2] = { { small, room }, { NULL, 0 } };
    struct iov to;
    int alert;

    if (!reading_aead(r->conn) || (keep && !place(rx, room, out, spans)))
        return reading_fail(r, ENOMEM, ALERT_INTERNAL_ERROR);
    to = keep || aside ? iov_of(spans, 2) : *out;
    if (!keep && !r->sink) /* into memory that is not shared */
        forked_admit(&r->before);
    alert = record_open_as(r->conn->rx_aead, &rx->keys, rx->keys.seq, r->cipher + at, total, &to, &record);
    if (!owns(r))
        return -ERESTART;
    if (alert < 0)
        return reading_fail_protocol(r, -alert);
    rx->keys.seq++;
    if (record.type == RECORD_DATA) {
        if (rx->message_have) /* RFC 8446 §5.1: nothing comes between the parts of a message */
            return reading_fail_protocol(r, ALERT_UNEXPECTED_MESSAGE);
        rx->empty = record.length ? 0 : rx->empty + 1;
        if (rx->empty > EMPTY_RECORDS)
            return reading_fail_protocol(r, ALERT_UNEXPECTED_MESSAGE);
        direct = !keep || record.length < spans[0].iov_len ? record.length : spans[0].iov_len;
        r->done += direct;
        rx->kept_length += (uint32_t)(record.length - direct);
        if (aside)
            iov_fill(out, small, record.length);
        else if (direct)
            iov_advance(out, direct);
        return 0;
    }
    /* Not data: it was opened where data would have gone, and nothing of that is consumed. */
    return reading_control(r, &record, keep || aside ? iov_of(spans, 2) : *out);
}

/* Is what lies at the scratch's start the beginning of a record, and not all of it? */
static bool is_begun(const struct reading *r)
{
    int total = r->length < RECORD_HEADER ? RECORD_MOST : record_length(r->cipher);
    return total < 0 || r->length < (size_t)total;
}

void reading_load_carry(struct reading *r)
{
    uint32_t length = ARENA_ONCE(r->rx->carry_length);
    const uint8_t *carry = length ? arena_at(ARENA_ONCE(r->rx->carry), RECORD_MOST) : NULL;
    r->length = carry && length <= RECORD_MOST ? length : 0;
    if (r->length)
        memcpy(r->cipher, carry, r->length);
    if (!is_begun(r)) /* never, by our own hand */
        r->length = 0;
}

int reading_save_carry(struct reading *r, size_t at)
{
    struct receiving *rx = r->rx;
    size_t n = rx->ended || rx->error ? 0 : r->length - at;
    if (__builtin_expect(r->lost, 0))
        return 0;
    if (n > RECORD_MOST) /* never: whole records have been opened, and what is left is a part of one */
        return reading_fail(r, ECONNRESET, ALERT_INTERNAL_ERROR);
    if (n == 0) {
        arena_drop(&rx->carry, RECORD_MOST);
    } else {
        uint8_t *carry = arena_grant(&rx->carry, RECORD_MOST);
        if (!carry)
            return reading_fail(r, ENOMEM, ALERT_INTERNAL_ERROR);
        memcpy(carry, r->cipher + at, n);
    }
    rx->carry_length = (uint32_t)n;
    return 0;
}

/* Opens every whole record in the scratch; moves the rest to its start. */
static int open_whole(struct reading *r, struct iov *out, bool keep)
{
    size_t at = 0;
    while (r->length - at >= RECORD_HEADER && !r->rx->ended) {
        int total = record_length(r->cipher + at), result;
        if (total < 0)
            return reading_fail_protocol(r, -total);
        if (r->length - at < (size_t)total)
            break;
        result = reading_open(r, at, (size_t)total, out, keep);
        if (result < 0)
            return result;
        at += (size_t)total;
    }
    if (at > 0 && at < r->length)
        memmove(r->cipher, r->cipher + at, r->length - at);
    r->length -= at;
    return 0;
}

/* Most ciphertext that cannot hold more plaintext than `room`, however it is cut into records. */
static size_t safe_ciphertext(size_t room)
{
    return room + RECORD_OVERHEAD * ((room + RECORD_PLAINTEXT - 1) / RECORD_PLAINTEXT);
}

/* Reads up to `target` bytes of ciphertext in all. Returns 1 for progress, 0 for the end, or minus an errno. */
int reading_fetch(struct reading *r, size_t target, int flags)
{
    size_t ask = target - r->length, held = reading_held(r->rx), known;
    /* What is known already goes before the scratch's beginning, where there is room for it. */
    ssize_t got = reading_recv(r, r->cipher + r->length - held, ask + held, flags);
    if (got <= 0)
        return (int)got;
    r->dry = (size_t)got < ask + held;
    known = (size_t)got < held ? (size_t)got : held;
    if (held)
        reading_set_held(r, held - known);
    r->length += (size_t)got - known;
    return 1;
}

/* One step of a read. As keep_large. */
static int step(struct reading *r, struct iov *out, int flags)
{
    size_t target = safe_ciphertext(out->left);
    int result;
    if (target > SCRATCH_SIZE - 1)
        target = SCRATCH_SIZE - 1;
    if (r->length >= RECORD_HEADER) {
        int total = record_length(r->cipher);
        if (total < 0)
            return reading_fail_protocol(r, -total);
        if ((size_t)total > RECORD_OVERHEAD + out->left)
            return reading_keep_large(r, (size_t)total, out, flags);
    }
    result = reading_fetch(r, target, flags);
    if (result <= 0)
        return result;
    result = open_whole(r, out, false);
    return result < 0 ? result : 1;
}

static ssize_t end_read(struct reading *r, int result)
{
    int saved = 0;
    if (r->rx->ended || r->rx->error)
        r->length = 0; /* what follows the end is nobody's */
    if (r->length || ARENA_ONCE(r->rx->carry) || ARENA_ONCE(r->rx->carry_length))
        saved = reading_save_carry(r, 0);
    if (r->done > 0)
        return (ssize_t)r->done;
    reading_told(r, result);
    return result < 0 ? result : saved;
}

static ssize_t read_records(struct reading *r, struct iov *out)
{
    struct receiving *rx = r->rx;
    if (__builtin_expect(ARENA_ONCE(rx->carry_length) > 0, 0))
        reading_load_carry(r);
    for (;;) {
        int flags, result;
        if (!fdtable_is(r->fd, r->conn)) /* closed while we slept: the number may be another socket's */
            return end_read(r, -EBADF);
        if (rx->kept_length > 0) {
            reading_take_kept(r, out);
            if (out->left == 0)
                return end_read(r, 0);
            r->dry = false;
        }
        if (rx->ended || rx->error)
            return end_read(r, rx->ended ? 0 : -shared_error(&rx->error));
        flags = reading_wait_flags(r);
        if (out->left == 0 || (r->dry && (flags & MSG_DONTWAIT) && r->done > 0))
            return end_read(r, 0);
        result = step(r, out, flags);
        if (result == 0 && (result = reading_kernel_end(r)) == 0)
            return end_read(r, 0);
        if (result < 0)
            return end_read(r, result);
    }
}

static ssize_t read_all(struct reading *r, struct iov *out)
{
    return r->rx->kernel ? reading_from_kernel(r, out) : read_records(r, out);
}

static ssize_t read_or_peek(struct reading *r, struct iov *out)
{
    if (r->rx->kernel && (r->flags & MSG_PEEK || out->left == 0))
        return reading_peek_kernel(r, out);
    return r->flags & MSG_PEEK ? reading_peek(r, out) : read_all(r, out);
}

/* MSG_TRUNC on TCP: takes (or with MSG_PEEK only counts) and throws away; the program's buffer may be NULL, and is not touched. */
static ssize_t discard(struct reading *r, size_t n)
{
    size_t room = n < RECORD_PLAINTEXT ? n : RECORD_PLAINTEXT;
    struct iovec span = { r->sink = arena_alloc(RECORD_PLAINTEXT), room };
    struct iov out = iov_of(&span, 1);
    ssize_t got = r->sink ? read_or_peek(r, &out) : -ENOMEM;
    if (!r->lost)
        arena_free(r->sink, RECORD_PLAINTEXT);
    r->sink = NULL;
    return got;
}

static void count(struct conn *conn, ssize_t got)
{
    struct sending *tx = &conn->shared->tx;
    atomic_fetch_add_explicit(&conn->counters->received, (uint64_t)got, memory_order_relaxed);
    if (conn->shared->inbound) {
        atomic_store_explicit(&tx->asked_ns, clock_ns(), memory_order_relaxed);
    } else if (atomic_load_explicit(&tx->asked_ns, memory_order_relaxed)) {
        int64_t asked = atomic_exchange_explicit(&tx->asked_ns, 0, memory_order_relaxed);
        if (asked)
            histogram_record(&conn->counters->latency[LATENCY_TURNAROUND],
                             (uint64_t)clock_ns() - (uint64_t)asked);
    }
}

static ssize_t read_nothing(struct reading *r)
{
    ssize_t got = reading_recv(r, NULL, 0, r->flags);
    reading_told(r, got);
    return got;
}

static ssize_t read_some(struct reading *r, struct iov *out)
{
    SCRATCH_GUARD scratch = NULL;
    ssize_t got;
    if (r->rx->kept_length == 0 && r->rx->error)
        return -shared_error(&r->rx->error);
    if (r->rx->kept_length == 0 && r->rx->ended)
        return 0;
    if (r->rx->kernel && !(r->flags & (MSG_PEEK | MSG_TRUNC)) && out->left)
        return reading_from_kernel(r, out);
    if (out->left == 0 && !r->rx->kernel)
        return r->rx->kept_length ? 0 : read_nothing(r);
    scratch = scratch_take();
    if (!scratch)
        return -ENOMEM;
    r->cipher = scratch;
    got = r->flags & MSG_TRUNC ? discard(r, out->left) : read_or_peek(r, out);
    if (__builtin_expect(r->rx->told, 0) && !r->lost && !(r->flags & MSG_PEEK) && r->rx->kept_length == 0) {
        r->rx->told = false;
        reading_take_begun(r);
    }
    return got;
}

static ssize_t read_once(struct conn *conn, struct shared *shared, int fd, struct iov out, int flags)
{
    struct reading r = { .conn = conn, .rx = &shared->rx, .fd = fd, .flags = flags, .before = forked_now };
    struct undo undo;
    ssize_t got;
    undo_begin(&undo, reading_abandoned, &r);
    got = reading_enter(&r, shared);
    if (got == 0) {
        got = read_some(&r, &out);
        if (got > 0 && !(flags & MSG_PEEK) && !r.lost)
            count(conn, got);
        reading_leave(&r);
    }
    undo_end(&undo);
    return got;
}

ssize_t stream_read(struct conn *conn, int fd, struct iov *out, int flags)
{
    struct shared *shared = conn->shared;
    ssize_t got;
    if (__builtin_expect(flags & (MSG_OOB | MSG_ERRQUEUE), 0)) {
        if (flags & MSG_OOB)
            return -EINVAL;
        got = libc.recv(fd, NULL, 0, flags);
        return got < 0 ? -errno : got;
    }
    if (!shared) /* closed by another thread at this very moment */
        return -EBADF;
    do
        got = read_once(conn, shared, fd, *out, flags);
    while (__builtin_expect(got == -ERESTART, 0));
    if (__builtin_expect(atomic_load_explicit(&shared->tx.update_due, memory_order_relaxed), 0))
        stream_answer_update(conn, fd);
    if (__builtin_expect(atomic_load(&conn->closing), 0))
        conn_settle(conn);
    return got;
}

void stream_end_reading(struct conn *conn)
{
    struct receiving *rx = &conn->shared->rx;
    /* Data that is already here is still delivered, as the kernel does; then the end is clean. */
    rx->reset_told = true;
}

int stream_set_low_water(struct conn *conn, int fd, int bytes)
{
    struct receiving *rx = &conn->shared->rx;
    if (libc.setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes) != 0)
        return -errno;
    rx->low_water = bytes > 1 ? (uint32_t)bytes : 0;
    if (rx->kernel)
        reading_raise_low_water(fd, rx);
    else
        reading_set_low_water(fd, rx);
    return 0;
}
