/*
 * Sending where the kernel seals the records (tls/ktls.h). A record that it has taken is its own to deliver, so nothing is committed, kept or
 * owed here; the lock keeps the program's bytes out of a change of keys.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/log.h"
#include "base/process.h"
#include "base/quiet.h"
#include "conn/fdtable.h"
#include "conn/stream/send_parts.h"
#include "tls/ktls.h"

enum { SPANS = 16, PAGE = 4096 };
/* RFC 8446 §5.5's limit for AES-GCM is 2^24.5 records. */
#define END_AFTER (UINT64_C(1) << 24)

static int pending_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    return libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

/* ---- keys ---- */

static int give_up(struct writing *w, const char *why)
{
    log_error("%s: %s; the connection is ended (record_layer = user has no such limit)", conn_peer(w->conn),
              why);
    w->tx->error = ECONNRESET;
    libc.shutdown(w->fd, SHUT_RDWR);
    return -ECONNRESET;
}

void writing_update_kernel(struct writing *w)
{
    static const uint8_t key_update[] = { 24, 0, 0, 1, 0 }; /* update_not_requested, RFC 8446 §4.6.3 */
    struct quiet quiet;
    bool failed = false;
    ssize_t put;

    if (ktls_offer() != KTLS_REKEYS) {
        give_up(w, "the peer asks for new keys, which this kernel's TLS cannot take before Linux 6.14");
        return;
    }
    quiet_begin(
        &quiet); /* a handler that sends would do so between the message and the change: see writing_past_owner */
    put = ktls_send(w->fd, RECORD_HANDSHAKE, key_update, sizeof key_update);
    if (put == sizeof key_update && keys_update(&w->tx->keys) && ktls_use(w->fd, TLS_TX, &w->tx->keys) == 0)
        atomic_store(&w->tx->update_due, false);
    else
        failed = put >= 0; /* else there was no room: before the next write, again */
    quiet_end(&quiet);
    if (failed)
        give_up(w, "the kernel does not take new keys");
}

/* Our count is too high by now, for it is by calls; the kernel knows. */
static bool has_worn(struct writing *w, uint64_t most)
{
    if (w->tx->keys.suite == AEAD_CHACHA20_POLY1305 || w->tx->keys.seq < most)
        return false;
    ktls_sequence(w->fd, TLS_TX, &w->tx->keys, &w->tx->keys.seq);
    return w->tx->keys.seq >= most;
}

bool writing_kernel_seals(struct writing *w)
{
    int saved = errno;

    if (__builtin_expect(w->conn->kernel_seals, 1))
        return true;
    w->conn->kernel_seals = ktls_is_used(w->fd, TLS_TX);
    if (!w->conn->kernel_seals)
        give_up(w, "the kernel does not seal its records, as it should");
    errno = saved;
    return w->conn->kernel_seals;
}

/* Before anything is sent: 0, or minus an errno. */
static int keep_keys_fresh(struct writing *w)
{
    struct sending *tx = w->tx;

    if (!writing_kernel_seals(w))
        return -ECONNRESET;
    if (__builtin_expect(record_wants_update(&tx->keys), 0) && ktls_offer() == KTLS_REKEYS) {
        ktls_sequence(w->fd, TLS_TX, &tx->keys, &tx->keys.seq);
        if (record_wants_update(&tx->keys))
            writing_update_kernel(w);
    }
    if (__builtin_expect(atomic_load_explicit(&tx->update_due, memory_order_relaxed), 0))
        writing_update_kernel(w);
    if (__builtin_expect(has_worn(w, END_AFTER), 0) && !tx->error)
        give_up(w, "its keys have sealed as many records as AES-GCM allows");
    return -shared_error(&tx->error);
}

/* ---- the program's bytes ---- */

static bool ends_connection(ssize_t put)
{
    switch (-put) {
    case ECONNRESET:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EPIPE:
        return true;
    default:
        return false;
    }
}

/*
 * What a plain connection would have said. There, a send that tells an error has taken it from the socket, and EPIPE follows; kernel TLS
 * goes on to say that it has sent. 0: the error is of what has come, and the reader's to hear; again.
 */
static ssize_t as_plain(const struct writing *w, ssize_t put)
{
    struct shared *shared = w->conn->shared;
    if (ends_connection(put)) {
        pending_error(w->fd);
        atomic_store(&shared->gone, true);
        return put;
    }
    if (!stream_is_of_records((int)-put) || pending_error(w->fd) == 0)
        return put;
    shared->rx.found = (int)-put;
    return 0;
}

/* Behind bytes that have been taken, of which the program hears first: the next call tells what is on the socket. */
static ssize_t as_much(const struct writing *w, ssize_t put)
{
    if (ends_connection(put))
        atomic_store(&w->conn->shared->gone, true);
    return (ssize_t)w->done;
}

/* MSG_MORE would keep a record open for as long as nothing follows; TCP gives up after 200 ms. */
static int call_flags(int flags)
{
    return flags & (MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t send_spans(struct writing *w, struct iovec *spans, size_t n)
{
    struct msghdr message = { .msg_iov = spans, .msg_iovlen = n };
    int flags = call_flags(w->flags);

    if (n == 1)
        return writing_send(w, spans[0].iov_base, spans[0].iov_len, flags);
    if (!writing_calls(w, spans, flags))
        return -ERESTART;
    return writing_called(w, flags & MSG_DONTWAIT
                                 ? libc.syscall(SYS_sendmsg, w->fd, (long)&message, flags, 0, 0, 0)
                                 : libc.sendmsg(w->fd, &message, flags));
}

/* As much as the program is told, in a forked child: what the kernel has taken from it is sent. */
static ssize_t leave(const struct writing *w, ssize_t put)
{
    size_t done = w->done + (put > 0 ? (size_t)put : 0);

    return done ? (ssize_t)done : put < 0 ? put : -ERESTART;
}

/* As many of the program's spans as go into one call. */
static size_t gather(struct iov in, struct iovec *spans, size_t *total)
{
    size_t n = 0;

    for (*total = 0; n < SPANS && in.left > 0; n++) {
        spans[n] = iov_span(&in, in.left);
        iov_advance(&in, spans[n].iov_len);
        *total += spans[n].iov_len;
    }
    return n;
}

ssize_t writing_to_kernel(struct writing *w, struct iov *in)
{
    while (in->left > 0) {
        struct iovec spans[SPANS];
        size_t total, n = gather(*in, spans, &total);
        int result = keep_keys_fresh(w);
        ssize_t put;
        if (result < 0 || !fdtable_is(w->fd, w->conn)) /* closed while we slept: it may be another socket's */
            return w->done ? (ssize_t)w->done : result < 0 ? result : -EBADF;
        put = send_spans(w, spans, n);
        if (__builtin_expect(w->lost, 0))
            return leave(w, put);
        if (put < 0 && w->done)
            return as_much(w, put);
        if (put < 0 && (put = as_plain(w, put)) < 0)
            return put;
        if (put == 0)
            continue;
        w->tx->keys.seq += 1 + (uint64_t)put / RECORD_PLAINTEXT;
        w->done += (size_t)put;
        iov_advance(in, (size_t)put);
        if ((size_t)put < total)
            break;
    }
    return (ssize_t)w->done;
}

ssize_t writing_to_kernel_ended(struct writing *w)
{
    int error = pending_error(w->fd);

    if (error == ECONNRESET && w->tx->closed && w->conn->shared->rx.reset_told)
        error = 0; /* the peer's goodbye, answered by a reset of which a plain connection would not know */
    if (error)
        return -error;
    if (!w->tx->closed && !atomic_load(&w->conn->shared->gone) && !(libc_poll_now(w->fd, 0) & POLLHUP))
        return 0;
    if (!(w->flags & MSG_NOSIGNAL))
        raise(SIGPIPE);
    return -EPIPE;
}

ssize_t writing_past_owner(struct conn *conn, int fd, struct iov *in, int flags)
{
    ssize_t done = 0;

    if (!conn->kernel_seals || conn->shared->tx.error || conn->shared->tx.closed ||
        atomic_load(&conn->shared->gone))
        return -EPIPE;
    while (in->left > 0) {
        struct iovec span = iov_span(in, in->left);
        ssize_t put = libc.send(fd, span.iov_base, span.iov_len, call_flags(flags));
        if (put < 0)
            return done ? done : -errno;
        conn->shared->tx.keys.seq += 1 + (uint64_t)put / RECORD_PLAINTEXT;
        atomic_fetch_add_explicit(&conn->counters->sent, (uint64_t)put, memory_order_relaxed);
        done += put;
        iov_advance(in, (size_t)put);
        if ((size_t)put < span.iov_len)
            break;
    }
    return done;
}

/* A file that ends before `count`, or a full buffer, leaves a record open, for the kernel has more in mind. */
static void close_record(struct writing *w)
{
    ktls_send(w->fd, RECORD_DATA, "", 0);
}

ssize_t writing_file_to_kernel(struct writing *w, int in, off64_t offset, size_t count)
{
    int result = keep_keys_fresh(w);
    ssize_t put;

    if (result < 0)
        return result;
    do {
        if (!writing_calls(w, NULL, 0))
            return -ERESTART;
        put = writing_called(w, libc.sendfile64(w->fd, in, &offset, count));
        if (w->lost)
            return leave(w, put);
    } while (put < 0 && (put = as_plain(w, put)) == 0);
    if (put < 0)
        return put;
    w->tx->keys.seq += 1 + (uint64_t)put / PAGE;
    if ((size_t)put < count)
        close_record(w);
    return put;
}

/* ---- what the library sends by itself ---- */

bool writing_message_to_kernel(struct writing *w, uint8_t type, const uint8_t *body, size_t n)
{
    w->tx->keys.seq++;
    return ktls_send(w->fd, type, body, n) == (ssize_t)n;
}

bool writing_early_to_kernel(struct writing *w, struct iov *in)
{
    const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    struct iovec span = iov_span(in, in->left);
    ssize_t put;

    if (!writing_kernel_seals(w))
        return false;
    put = writing_send(w, span.iov_base, span.iov_len, flags);
    if (put == -EAGAIN) { /* our own handshake fills a small buffer */
        writing_widen_buffer(w->fd);
        put = writing_send(w, span.iov_base, span.iov_len, flags);
    }
    w->tx->keys.seq += 1 + span.iov_len / RECORD_PLAINTEXT;
    if (put > 0)
        iov_advance(in, (size_t)put);
    return in->left == 0;
}

/* The FIN, which follows at once, carries the record: no end of TLS is seen before TCP's. (Kernel TLS knows no MSG_MORE here.) */
static void hold_back(int fd)
{
    int on = 1;
    if (!process_is_locked_in())
        libc.setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

/* A larger buffer than that has grown by itself, and setting it would make it smaller. */
static bool may_be_widened(int size)
{
    return size < 8 * RECORD_MOST;
}

/*
 * Of a record for which the socket's buffer had no room the kernel keeps the rest, and sends it when there is room, but not behind a FIN. With
 * room for a record more, it goes out in front of the next one.
 */
bool writing_finish_kernel(struct writing *w)
{
    static const uint8_t close_notify[2] = { 1, ALERT_CLOSE_NOTIFY };
    int size = 0;
    socklen_t length = sizeof size;
    bool roomy = libc_poll_now(w->fd, POLLOUT) & POLLOUT;

    libc.getsockopt(w->fd, SOL_SOCKET, SO_SNDBUF, &size, &length);
    if (may_be_widened(size))
        writing_widen_buffer(w->fd);
    else if (!roomy)
        return false;
    hold_back(w->fd);
    w->tx->keys.seq++;
    return ktls_send(w->fd, RECORD_ALERT, close_notify, sizeof close_notify) != -EAGAIN;
}
