/*
 * Receiving where the kernel opens the records (tls/ktls.h). It gives out their plaintext as a plain socket gives its bytes, and keeps the rest
 * of a record itself, so its readiness stays true without the one-byte rule. A record that is not data stops it: EIO from recv, which
 * takes nothing, until it is asked for by its type.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/log.h"
#include "base/process.h"
#include "base/scratch.h"
#include "conn/fdtable.h"
#include "conn/stream/receive_parts.h"
#include "tls/ktls.h"

enum { NOT_DATA = EIO };

static void set_low_water(int fd, uint32_t bytes)
{
    int value = bytes ? (int)bytes : 1;
    libc.setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value);
}

/* While the program does not read, the kernel counts ciphertext: that much makes sure that there is as much plaintext. */
void reading_raise_low_water(int fd, struct receiving *rx)
{
    rx->raised = rx->low_water > 0;
    set_low_water(fd, rx->raised ? rx->low_water + RECORD_OVERHEAD : 0);
}

/* Its recv counts plaintext. */
static void lower_low_water(const struct reading *r)
{
    if (__builtin_expect(!r->rx->raised, 1))
        return;
    r->rx->raised = false;
    set_low_water(r->fd, r->rx->low_water);
}

static int queued(const struct reading *r)
{
    int bytes = 0;
    return libc.ioctl(r->fd, FIONREAD, (long)&bytes) == 0 ? bytes : 0;
}

/* What the kernel says of a record: no data for the program, and an errno that means an alert. */
static ssize_t fail(struct reading *r, int error)
{
    int alert, pending = 0;
    socklen_t length = sizeof pending;

    switch (error) {
    case EBADMSG:
        alert = ALERT_BAD_RECORD_MAC;
        break;
    case EMSGSIZE:
        alert = ALERT_RECORD_OVERFLOW;
        break;
    case EINVAL: /* its header */
    case EKEYEXPIRED:
        alert = ALERT_UNEXPECTED_MESSAGE;
        break;
    case ECONNRESET:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EPIPE:
        atomic_store(&r->conn->shared->gone, true);
        return -error;
    default:
        return -error;
    }
    libc.getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &pending, &length); /* else the alert would not go out */
    return reading_fail_protocol(r, alert);
}

/* What the family's memory says of the kernel is believed when the kernel says so: else anybody's bytes would come in. */
static bool kernel_opens(const struct reading *r)
{
    int saved = errno;

    if (__builtin_expect(!r->conn->kernel_opens, 0)) {
        r->conn->kernel_opens = ktls_is_used(r->fd, TLS_RX);
        errno = saved;
    }
    return r->conn->kernel_opens;
}

static ssize_t receive(struct reading *r, void *to, size_t n, int flags)
{
    int saved = errno; /* not all that fails here fails for the program */
    ssize_t got;

    if (!kernel_opens(r)) {
        log_error("%s: the kernel does not open its records, as it should; the connection is ended",
                  conn_peer(r->conn));
        return reading_fail(r, ECONNRESET, -1);
    }
    if (__builtin_expect(r->rx->found, 0)) {
        int error = shared_error(&r->rx->found);
        r->rx->found = 0;
        return fail(r, error);
    }
    got = reading_recv(r, to, n, flags & ~MSG_TRUNC);
    errno = saved;
    return got >= 0 || got == -NOT_DATA ? got : fail(r, (int)-got);
}

/* The record at the head is not data. 0, or minus the errno with which the stream has ended. */
static int take_control(struct reading *r)
{
    SCRATCH_GUARD scratch = scratch_take();
    struct iovec span = { scratch, SCRATCH_SIZE };
    struct record record;
    int saved = errno;
    ssize_t got;

    if (!scratch)
        return -ENOMEM;
    got = ktls_receive(r->fd, scratch, SCRATCH_SIZE, &record.type);
    errno = saved;
    if (got < 0)
        return (int)fail(r, (int)-got);
    r->rx->keys.seq++;
    record.length = (size_t)got;
    if ((record.type != RECORD_ALERT && record.type != RECORD_HANDSHAKE) || got == 0)
        return reading_fail_protocol(r, ALERT_UNEXPECTED_MESSAGE);
    return reading_control(r, &record, iov_of(&span, 1));
}

/*
 * As recv, with what is not data taken care of: a count, 0 where the stream has ended, or minus an errno. `later`: the flags behind such a
 * record.
 */
static ssize_t receive_data(struct reading *r, void *to, size_t n, int flags, int later)
{
    struct receiving *rx = r->rx;

    for (;;) {
        ssize_t got = receive(r, to, n, flags);
        int result;
        if (__builtin_expect(r->lost, 0))
            return got;
        if (got > 0) {
            rx->keys.seq++; /* a record at least */
            rx->empty = 0;
            return rx->message_have ? reading_fail_protocol(r, ALERT_UNEXPECTED_MESSAGE) : got;
        }
        if (got == 0)
            return reading_kernel_end(r);
        if (got != -NOT_DATA)
            return got;
        if ((result = take_control(r)) < 0)
            return result;
        if (rx->ended)
            return 0;
        if (!fdtable_is(r->fd, r->conn))
            return -EBADF;
        flags = later;
    }
}

static ssize_t look(struct reading *r, void *to, size_t n, int flags)
{
    return receive_data(r, to, n, flags | MSG_PEEK, flags | MSG_PEEK);
}

static ssize_t end(struct reading *r, ssize_t result)
{
    if (r->rx->low_water && !r->lost)
        reading_raise_low_water(r->fd, r->rx);
    if (r->done > 0)
        return (ssize_t)r->done;
    if (result == -ECONNRESET && !r->rx->error)
        r->rx->reset_told = true;
    return result;
}

/*
 * A short count must mean that there is nothing more. The kernel gives one in front of a record that is not data, too; what follows that
 * one is still queued.
 */
ssize_t reading_from_kernel(struct reading *r, struct iov *out)
{
    bool all = r->flags & MSG_WAITALL, again = false;

    lower_low_water(r);
    while (out->left > 0) {
        struct iovec span = iov_span(out, out->left);
        int flags = reading_wait_flags(r) | (all ? MSG_WAITALL : 0);
        ssize_t got;
        if (!fdtable_is(r->fd, r->conn)) /* closed while we slept: the number may be another socket's */
            return end(r, -EBADF);
        got = receive_data(r, span.iov_base, span.iov_len, flags | (again ? MSG_DONTWAIT : 0), flags);
        if (got <= 0)
            return end(r, got);
        iov_advance(out, (size_t)got);
        r->done += (size_t)got;
        if ((size_t)got < span.iov_len && !all && queued(r) == 0)
            break;
        again = (size_t)got < span.iov_len;
    }
    return end(r, 0);
}

ssize_t reading_peek_kernel(struct reading *r, struct iov *out)
{
    size_t n = out->left == 0 ? 1 : out->left < SCRATCH_SIZE ? out->left : SCRATCH_SIZE;
    int flags = r->flags & (MSG_DONTWAIT | MSG_WAITALL);
    ssize_t got;

    lower_low_water(r);
    got = look(r, r->cipher, n, flags);
    if (r->rx->low_water && !r->lost)
        reading_raise_low_water(r->fd, r->rx);
    return got <= 0 ? got : (ssize_t)iov_fill(out, r->cipher, (size_t)got);
}

ssize_t reading_count_kernel(struct reading *r)
{
    ssize_t got = 0;

    if (!r->rx->ended && !r->rx->error && !r->rx->found)
        got = look(r, r->cipher, SCRATCH_SIZE, MSG_DONTWAIT);
    if (got == SCRATCH_SIZE)
        got += queued(r); /* a bound that is never too low */
    if (got < 0 && got != -EAGAIN && !r->rx->error && !r->lost)
        r->rx->found = (int)-got;
    return got < 0 ? 0 : got;
}

/* Before Linux 6.2 the beginning of a record makes it readable. From here on it takes one byte more than there are. */
static bool wait_for_more(struct reading *r)
{
    r->rx->raised = true;
    set_low_water(r->fd, (uint32_t)queued(r) + 1);
    return libc_poll_now(r->fd, POLLIN) == 0;
}

bool reading_look_kernel(struct reading *r)
{
    uint8_t byte;
    ssize_t got;

    if (r->rx->ended || r->rx->error || r->rx->found ||
        libc_poll_now(r->fd, POLLRDHUP) != 0) /* an error is not to be taken */
        return true;
    lower_low_water(r);
    got = look(r, &byte, 1, MSG_DONTWAIT);
    if (got == -EAGAIN)
        return !wait_for_more(r);
    if (r->rx->low_water && !r->lost)
        reading_raise_low_water(r->fd, r->rx);
    if (got < 0 && !r->rx->error && !r->lost)
        r->rx->found = (int)-got;
    return true;
}

/* Before a close. What the program has left unread makes it a reset, but the kernel does not count what it has opened already. */
void reading_drain_kernel(struct reading *r)
{
    const struct linger reset = { 1, 0 };
    uint8_t byte;

    if (!r->rx->ended && !r->rx->error && look(r, &byte, 1, MSG_DONTWAIT) > 0 && !process_is_locked_in())
        libc.setsockopt(r->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}
