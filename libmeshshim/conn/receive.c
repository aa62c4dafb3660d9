/* The receiving half of stream.h. */
#include "conn/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/banned.h"
#include "base/clock.h"
#include "base/libc.h"
#include "base/log.h"
#include "base/scratch.h"
#include "conn/arena.h"
#include "conn/fdtable.h"
#include "tls/handshake.h"
#include "tls/record.h"

enum {
    EMPTY_RECORDS = 64,      /* in a row, before a peer that sends nothing but them is cut off */
    KEEP_MOST = 96 * 1024    /* plaintext kept for MSG_PEEK and FIONREAD */
};

/* Where a read stands. */
struct reading {
    struct conn *conn;
    struct receiving *rx;
    int fd, flags;
    uint8_t *cipher;       /* scratch: ciphertext from its start */
    size_t length;         /* bytes of it */
    size_t done;           /* plaintext delivered */
    bool dry;              /* the kernel gave less than was asked */
};

static ssize_t kernel_recv(struct reading *r, void *to, size_t n, int flags)
{
    ssize_t got;
    atomic_store_explicit(&r->rx->asleep, !(flags & MSG_DONTWAIT), memory_order_relaxed);
    got = libc.recv(r->fd, to, n, flags);
    atomic_store_explicit(&r->rx->asleep, false, memory_order_relaxed);
    return got < 0 ? -errno : got;
}

/* Whether the next real call may wait: only before anything was delivered, or when all is wanted. */
static int wait_flags(const struct reading *r)
{
    int flags = r->flags & (MSG_DONTWAIT | MSG_NOSIGNAL | MSG_CMSG_CLOEXEC);
    if (r->done > 0 && !(r->flags & MSG_WAITALL) && r->done >= r->rx->low_water)
        flags |= MSG_DONTWAIT;
    return flags;
}

static bool have_aead(struct conn *conn)
{
    struct receiving *rx = &conn->shared->rx;
    if (__builtin_expect(conn->rx_aead && conn->rx_epoch == rx->keys.epoch, 1))
        return true;
    aead_free(conn->rx_aead);
    conn->rx_aead = aead_new((enum aead_suite)rx->keys.suite, rx->keys.key);
    conn->rx_epoch = rx->keys.epoch;
    return conn->rx_aead != NULL;
}

/* ---- how a connection ends ---- */

static int fail(struct reading *r, int error, int alert)
{
    r->rx->error = error;
    if (alert >= 0)
        stream_send_alert(r->conn, r->fd, (uint8_t)alert);
    libc.shutdown(r->fd, SHUT_RDWR);
    return -error;
}

static const char *peer_name(const struct conn *conn)
{
    return conn->peer_id ? conn->peer_id : "the peer";
}

static int fail_protocol(struct reading *r, int alert)
{
    log_warn("%s: cut off: what it sent is not a valid TLS record (%s)", peer_name(r->conn),
             record_alert_name((uint8_t)alert));
    atomic_fetch_add_explicit(&r->conn->counters->failed[FAILURE_PROTOCOL], 1, memory_order_relaxed);
    return fail(r, ECONNRESET, alert);
}

/* The kernel's end of stream: clean only after close_notify. */
static int on_kernel_end(struct reading *r)
{
    struct receiving *rx = r->rx;
    if (rx->ended || rx->reset_told)
        return 0;
    if (r->conn->shared->tolerate_truncation && r->length == 0) {
        rx->ended = true;
        return 0;
    }
    log_warn("%s: the connection ended without close_notify: truncated, or its program died "
             "(tolerate_truncation = yes takes this as a clean end)",
             peer_name(r->conn));
    rx->error = ECONNRESET;
    return -ECONNRESET;
}

/* The end must stay readable. It does when the peer's FIN is here; where TLS alone has ended, we end the kernel's side too. */
static void end_in_kernel(int fd)
{
    struct pollfd look = { fd, POLLRDHUP, 0 };
    if (libc.poll(&look, 1, 0) == 0)
        libc.shutdown(fd, SHUT_RD);
}

static int on_alert(struct reading *r, const uint8_t *body, size_t length)
{
    if (length != 2)
        return fail_protocol(r, ALERT_DECODE_ERROR);
    if (body[1] == ALERT_CLOSE_NOTIFY) {
        r->rx->ended = true;
        end_in_kernel(r->fd);
        return 0;
    }
    if (body[1] == 90) /* user_canceled announces a close_notify */
        return 0;
    if (handshake_alert_refuses_us(body[1])) {
        log_error("%s does not accept our certificate (alert %s): check its allow list, its trust bundle and "
                  "our certificate's dates",
                  peer_name(r->conn), record_alert_name(body[1]));
        atomic_fetch_add_explicit(&r->conn->counters->failed[FAILURE_IDENTITY], 1, memory_order_relaxed);
        return fail(r, EACCES, -1);
    }
    log_warn("%s ended the connection with the alert %s", peer_name(r->conn), record_alert_name(body[1]));
    return fail(r, ECONNRESET, -1);
}

/* NewSessionTicket is dropped, KeyUpdate is followed; a message that is split over records is refused (nobody does). */
static int on_handshake(struct reading *r, const uint8_t *body, size_t length)
{
    enum { NEW_SESSION_TICKET = 4, KEY_UPDATE = 24 };
    while (length > 0) {
        size_t n;
        if (length < 4)
            return fail_protocol(r, ALERT_DECODE_ERROR);
        n = 4 + ((size_t)body[1] << 16 | (size_t)body[2] << 8 | body[3]);
        if (n > length)
            return fail_protocol(r, ALERT_DECODE_ERROR);
        if (body[0] == KEY_UPDATE) {
            if (n != 5 || body[4] > 1)
                return fail_protocol(r, ALERT_DECODE_ERROR);
            if (n != length) /* RFC 8446 §5.1: no message may follow a key change in its record */
                return fail_protocol(r, ALERT_UNEXPECTED_MESSAGE);
            if (body[4] == 1)
                atomic_store(&r->conn->shared->tx.update_due, true);
            if (!keys_update(&r->rx->keys) || !have_aead(r->conn))
                return fail(r, ENOMEM, ALERT_INTERNAL_ERROR);
        } else if (body[0] != NEW_SESSION_TICKET) {
            return fail_protocol(r, ALERT_UNEXPECTED_MESSAGE);
        }
        body += n;
        length -= n;
    }
    return 0;
}

/* ---- plaintext that is kept ---- */

static bool make_room(struct receiving *rx, size_t more)
{
    /* Never in the arena's class of struct shared, whose memory must stay of its kind: see conn.h. */
    size_t need = rx->kept_length + more < 4096 ? 4096 : rx->kept_length + more;
    uint8_t *bigger;
    if (rx->kept && rx->kept_room >= need) {
        if (rx->kept_at + rx->kept_length + more > rx->kept_room) {
            memmove(rx->kept, rx->kept + rx->kept_at, rx->kept_length);
            rx->kept_at = 0;
        }
        return true;
    }
    bigger = arena_alloc(need);
    if (!bigger)
        return false;
    if (rx->kept_length)
        memcpy(bigger, rx->kept + rx->kept_at, rx->kept_length);
    arena_free(rx->kept, rx->kept_room);
    rx->kept = bigger;
    rx->kept_at = 0;
    rx->kept_room = (uint32_t)need;
    return true;
}

/*
 * With SO_RCVLOWAT the kernel waits for that much ciphertext before it calls the socket readable, but while plaintext is kept one
 * byte must do.
 */
static void set_kernel_low_water(int fd, const struct receiving *rx)
{
    int bytes = rx->held ? 1 : (int)(rx->low_water ? rx->low_water + RECORD_OVERHEAD : 1);
    libc.setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

static void set_held(struct reading *r, bool held)
{
    r->rx->held = held;
    if (__builtin_expect(r->rx->low_water, 0))
        set_kernel_low_water(r->fd, r->rx);
}

/* The byte that marked kept plaintext leaves the kernel with the last of it. */
static void release_held(struct reading *r)
{
    uint8_t byte;
    if (r->rx->held && libc.recv(r->fd, &byte, 1, MSG_DONTWAIT) == 1)
        set_held(r, false);
}

static void take_kept(struct reading *r, struct iov *out)
{
    struct receiving *rx = r->rx;
    size_t n = iov_fill(out, rx->kept + rx->kept_at, rx->kept_length);
    r->done += n;
    rx->kept_at += (uint32_t)n;
    rx->kept_length -= (uint32_t)n;
    if (rx->kept_length > 0)
        return;
    arena_free(rx->kept, rx->kept_room);
    rx->kept = NULL;
    rx->kept_at = rx->kept_room = 0;
    if (out->left == 0)
        release_held(r);
}

/* ---- one record ---- */

/* Opens the record of `total` bytes at r->cipher + at into `out`, or, where `keep`, behind what is kept. */
static int open_record(struct reading *r, size_t at, size_t total, struct iov *out, bool keep)
{
    struct receiving *rx = r->rx;
    size_t room = total - RECORD_OVERHEAD;
    struct record record;
    struct iovec span;
    struct iov to;
    int alert;

    if (!have_aead(r->conn))
        return fail(r, ENOMEM, ALERT_INTERNAL_ERROR);
    if (keep) {
        if (!make_room(rx, room + 1))
            return fail(r, ENOMEM, ALERT_INTERNAL_ERROR);
        span = (struct iovec){ rx->kept + rx->kept_at + rx->kept_length, room };
        to = iov_of(&span, 1);
    } else {
        to = *out;
    }
    alert = record_open(r->conn->rx_aead, &rx->keys, r->cipher + at, total, &to, &record);
    if (alert < 0)
        return fail_protocol(r, -alert);
    if (record.type == RECORD_DATA) {
        rx->empty = record.length ? 0 : rx->empty + 1;
        if (rx->empty > EMPTY_RECORDS)
            return fail_protocol(r, ALERT_UNEXPECTED_MESSAGE);
        if (keep) {
            rx->kept_length += (uint32_t)record.length;
        } else {
            iov_advance(out, record.length);
            r->done += record.length;
        }
        return 0;
    }
    /* Not data: it was opened where data would have gone; small messages are copied out, nothing is consumed. */
    {
        uint8_t message[512];
        size_t n = record.length < sizeof message ? record.length : sizeof message;
        struct iov from = keep ? iov_of(&span, 1) : *out;
        for (size_t i = 0; i < n;) {
            struct iovec part = iov_span(&from, n - i);
            memcpy(message + i, part.iov_base, part.iov_len);
            iov_advance(&from, part.iov_len);
            i += part.iov_len;
        }
        if (++rx->empty > EMPTY_RECORDS)
            return fail_protocol(r, ALERT_UNEXPECTED_MESSAGE);
        if (record.type == RECORD_ALERT)
            return on_alert(r, message, record.length);
        /* A ticket may be long: its head says enough, and it is dropped. */
        if (record.length > sizeof message && message[0] == 4)
            return 0;
        return on_handshake(r, message, n);
    }
}

static int save_carry(struct reading *r, size_t at)
{
    struct receiving *rx = r->rx;
    size_t n = r->length - at;
    if (n == 0) {
        arena_free(rx->carry, RECORD_MOST);
        rx->carry = NULL;
    } else {
        if (!rx->carry)
            rx->carry = arena_alloc(RECORD_MOST);
        if (!rx->carry)
            return fail(r, ENOMEM, ALERT_INTERNAL_ERROR);
        memcpy(rx->carry, r->cipher + at, n);
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
            return fail_protocol(r, -total);
        if (r->length - at < (size_t)total)
            break;
        result = open_record(r, at, (size_t)total, out, keep);
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
static int fetch(struct reading *r, size_t target, int flags)
{
    size_t ask = target - r->length, skip = r->rx->held;
    uint8_t *to = r->cipher + r->length;
    ssize_t got = kernel_recv(r, to, ask + skip, flags);
    if (got <= 0)
        return (int)got;
    r->dry = (size_t)got < ask + skip;
    if (skip) {
        set_held(r, false);
        memmove(to, to + 1, (size_t)got - 1);
        got--;
    }
    r->length += (size_t)got;
    return 1;
}

/*
 * The record at the scratch's start is larger than `room`: all but its last byte is read, the last one only looked at.
 * Returns 1 when it is open and kept, 0 for the end, or minus an errno.
 */
static int keep_large(struct reading *r, size_t total, int flags)
{
    int result;
    ssize_t got;
    while (r->length < total - 1) {
        result = fetch(r, total - 1, flags);
        if (result <= 0)
            return result;
    }
    got = kernel_recv(r, r->cipher + r->length, 1, flags | MSG_PEEK);
    if (got <= 0)
        return (int)got;
    result = open_record(r, 0, total, NULL, true);
    if (result < 0)
        return result;
    r->length = 0;
    set_held(r, true);
    if (r->rx->kept_length == 0) /* an alert or a ticket: nothing to keep the byte for */
        release_held(r);
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
            return fail_protocol(r, -total);
        if ((size_t)total > RECORD_OVERHEAD + out->left)
            return keep_large(r, (size_t)total, flags);
    }
    result = fetch(r, target, flags);
    if (result <= 0)
        return result;
    result = open_whole(r, out, false);
    return result < 0 ? result : 1;
}

static ssize_t end_read(struct reading *r, int result)
{
    int saved = save_carry(r, 0);
    if (r->done > 0)
        return (ssize_t)r->done;
    return result < 0 ? result : saved;
}

static ssize_t read_records(struct reading *r, struct iov *out)
{
    struct receiving *rx = r->rx;
    memcpy(r->cipher, rx->carry ? rx->carry : r->cipher, rx->carry_length);
    r->length = rx->carry_length;
    for (;;) {
        int flags, result;
        if (rx->kept_length > 0) {
            take_kept(r, out);
            if (out->left == 0)
                return end_read(r, 0);
            r->dry = false;
        }
        if (rx->ended || rx->error)
            return end_read(r, rx->ended ? 0 : -rx->error);
        flags = wait_flags(r);
        if (out->left == 0 || (r->dry && (flags & MSG_DONTWAIT) && r->done > 0))
            return end_read(r, 0);
        result = step(r, out, flags);
        if (result == 0)
            return end_read(r, on_kernel_end(r));
        if (result < 0) {
            if (result == -ECONNRESET && !rx->error)
                rx->reset_told = r->done == 0;
            return end_read(r, result);
        }
    }
}

/* ---- looking without taking ---- */

/* While plaintext is kept, another record may be taken only where all of it has come: one byte must always stay behind. */
static bool next_is_whole(struct reading *r)
{
    uint8_t head[1 + RECORD_HEADER];
    int queued = 0, total;
    if (libc.recv(r->fd, head, sizeof head, MSG_PEEK | MSG_DONTWAIT) < (ssize_t)sizeof head)
        return false;
    total = record_length(head + 1);
    return total < 0 || (libc.ioctl(r->fd, FIONREAD, (long)&queued) == 0 && queued >= 1 + total);
}

/*
 * Keeps plaintext until at least `want` bytes are there or the kernel is dry; the last byte of the last record stays unread. The rule for
 * every call that must know plaintext without taking it.
 */
static int keep_until(struct reading *r, size_t want, int first_flags)
{
    struct receiving *rx = r->rx;
    memcpy(r->cipher, rx->carry ? rx->carry : r->cipher, rx->carry_length);
    r->length = rx->carry_length;
    if (want > KEEP_MOST)
        want = KEEP_MOST;
    while (rx->kept_length < want && !rx->ended && !rx->error) {
        int flags = rx->kept_length ? first_flags | MSG_DONTWAIT : first_flags, result, total;
        if (rx->kept_length && r->length == 0 && !next_is_whole(r))
            return 0;
        if (r->length < RECORD_HEADER) {
            result = fetch(r, RECORD_HEADER, flags);
            if (result > 0)
                continue;
            return result == 0 ? on_kernel_end(r) : result;
        }
        total = record_length(r->cipher);
        if (total < 0)
            return fail_protocol(r, -total);
        result = keep_large(r, (size_t)total, flags);
        if (result == 0)
            return on_kernel_end(r);
        if (result < 0)
            return result;
    }
    return 0;
}

static ssize_t peek(struct reading *r, struct iov *out)
{
    struct receiving *rx = r->rx;
    size_t want = r->flags & MSG_WAITALL ? out->left : 1;
    int result = 0;
    if (rx->kept_length < out->left) {
        result = keep_until(r, out->left, (r->flags & MSG_DONTWAIT) | (rx->kept_length >= want ? MSG_DONTWAIT : 0));
        save_carry(r, 0);
    }
    if (rx->kept_length > 0)
        return (ssize_t)iov_fill(out, rx->kept + rx->kept_at, rx->kept_length);
    return result;
}

/* MSG_TRUNC on TCP: takes and throws away; the program's buffer may be NULL. */
static ssize_t discard(struct reading *r, size_t n)
{
    size_t room = n < RECORD_PLAINTEXT ? n : RECORD_PLAINTEXT;
    uint8_t *sink = arena_alloc(RECORD_PLAINTEXT);
    struct iovec span = { sink, room };
    struct iov out = iov_of(&span, 1);
    ssize_t got = sink ? read_records(r, &out) : -ENOMEM;
    arena_free(sink, RECORD_PLAINTEXT);
    return got;
}

/* ---- the lock, and what surrounds a read ---- */

/* Waits for the receiving side, except behind a reader that sleeps when the caller may not. 0, or minus an errno. */
static int take_side(struct lock *lock, _Atomic bool *asleep, int fd, int flags)
{
    switch (lock_try(lock)) {
    case LOCK_TAKEN:
        return 0;
    case LOCK_MINE:
        return -EAGAIN; /* a signal handler came back into the connection that it interrupted */
    default:
        break;
    }
    if (atomic_load_explicit(asleep, memory_order_relaxed) &&
        ((flags & MSG_DONTWAIT) || (libc.fcntl(fd, F_GETFL, 0) & O_NONBLOCK)))
        return -EAGAIN;
    switch (lock_take(lock)) {
    case LOCK_MINE:
        return -EAGAIN;
    case LOCK_ORPHAN:
        return -EIO;
    default:
        return 0;
    }
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
            histogram_record(&conn->counters->latency[LATENCY_TURNAROUND], (uint64_t)(clock_ns() - asked));
    }
}

static ssize_t read_locked(struct conn *conn, int fd, struct iov *out, int flags)
{
    struct reading r = { .conn = conn, .rx = &conn->shared->rx, .fd = fd, .flags = flags };
    SCRATCH_GUARD scratch = NULL;
    if (r.rx->kept_length == 0 && r.rx->error)
        return -r.rx->error;
    if (r.rx->kept_length == 0 && r.rx->ended)
        return 0;
    if (out->left == 0)
        return r.rx->kept_length ? 0 : kernel_recv(&r, NULL, 0, flags);
    scratch = scratch_take();
    if (!scratch)
        return -ENOMEM;
    r.cipher = scratch;
    if (flags & MSG_PEEK)
        return peek(&r, out);
    if (flags & MSG_TRUNC)
        return discard(&r, out->left);
    return read_records(&r, out);
}

ssize_t stream_read(struct conn *conn, int fd, struct iov *out, int flags)
{
    struct shared *shared = conn->shared;
    struct receiving *rx;
    ssize_t got;
    bool answer;
    int busy;
    if (flags & MSG_OOB)
        return -EINVAL;
    if (!shared) /* closed by another thread at this very moment */
        return -EBADF;
    rx = &shared->rx;
    busy = take_side(&rx->lock, &rx->asleep, fd, flags);
    if (busy == -EIO)
        rx->error = ECONNRESET, lock_release(&rx->lock);
    if (busy)
        return busy == -EIO ? -ECONNRESET : busy;
    {
        LOCK_GUARD guard = &rx->lock;
        (void)guard;
        if (fdtable_get(fd) != conn || conn->shared != shared) /* closed, perhaps reused, while we waited */
            return -EBADF;
        got = read_locked(conn, fd, out, flags);
        if (got > 0 && !(flags & MSG_PEEK))
            count(conn, got);
        answer = atomic_load_explicit(&shared->tx.update_due, memory_order_relaxed);
    }
    if (__builtin_expect(answer, 0))
        stream_answer_update(conn, fd);
    if (__builtin_expect(atomic_load(&conn->closing), 0))
        conn_settle(conn);
    return got;
}

ssize_t stream_available(struct conn *conn, int fd)
{
    struct shared *shared = conn->shared;
    struct reading r = { .conn = conn, .fd = fd, .flags = MSG_DONTWAIT };
    int ciphertext = 0;
    ssize_t result;
    if (!shared)
        return -EBADF;
    r.rx = &shared->rx;
    if (take_side(&r.rx->lock, &r.rx->asleep, fd, MSG_DONTWAIT) < 0)
        return 0;
    {
        LOCK_GUARD guard = &r.rx->lock;
        SCRATCH_GUARD scratch = NULL;
        (void)guard;
        if (fdtable_get(fd) != conn || conn->shared != shared)
            return -EBADF;
        if (libc.ioctl(fd, FIONREAD, (long)&ciphertext) < 0)
            return -errno;
        if (ciphertext > (int)r.rx->held && !r.rx->ended && !r.rx->error) {
            scratch = scratch_take();
            if (scratch) {
                r.cipher = scratch;
                keep_until(&r, KEEP_MOST, MSG_DONTWAIT);
                save_carry(&r, 0);
            }
        }
        result = (ssize_t)r.rx->kept_length;
    }
    if (atomic_load(&conn->closing))
        conn_settle(conn);
    return result;
}

void stream_drain_control(struct conn *conn, int fd)
{
    struct reading r = { .conn = conn, .fd = fd, .flags = MSG_DONTWAIT };
    struct shared *shared = conn->shared;
    SCRATCH_GUARD scratch = NULL;
    if (!shared)
        return;
    r.rx = &shared->rx;
    if (lock_try(&r.rx->lock) != LOCK_TAKEN)
        return;
    if (!r.rx->ended && !r.rx->error && r.rx->kept_length == 0 && (scratch = scratch_take()) != NULL) {
        r.cipher = scratch;
        keep_until(&r, 1, MSG_DONTWAIT);
        save_carry(&r, 0);
    }
    lock_release(&r.rx->lock);
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
    set_kernel_low_water(fd, rx);
    return 0;
}
