/* What the library sends by itself: alerts, key updates, what was kept from before the handshake, goodbyes. */
#include <errno.h>
#include <string.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/quiet.h"
#include "base/scratch.h"
#include "conn/stream/send_parts.h"

/*
 * For what the library sends by itself: not while another thread is sending, and not to be left in the middle by a handler, which may fork. False:
 * not now, and there is nothing to give back.
 */
static bool begin(struct writing *w, struct quiet *quiet)
{
    struct shared *shared = w->conn->shared;
    if (!shared)
        return false;
    w->tx = &shared->tx;
    quiet_begin(quiet);
    w->before = forked_now;
    if (lock_try(&w->tx->lock) == LOCK_TAKEN)
        return true;
    quiet_end(quiet);
    return false;
}

static void end(struct writing *w, const struct quiet *quiet)
{
    lock_release(&w->tx->lock);
    forked_admit(&w->before);
    quiet_end(quiet);
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
    if (w->tx->kernel)
        return writing_message_to_kernel(w, type, body, n);
    if (!writing_aead(w->conn) || writing_push_residue(w, flags | MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return false;
    total = record_seal(w->conn->tx_aead, &w->tx->keys, type, &in, n, record);
    if (total == 0)
        return false;
    put = writing_send(w, record, total, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
    if (w->lost)
        return false;
    if (put <= 0) {
        w->tx->keys.seq = seq;
        return false;
    }
    return (size_t)put == total || writing_keep_residue(w->tx, record + put, total - (size_t)put);
}

/* Whoever has sent early may do nothing but wait for the answer from now on: what the kernel did not take goes now, and the buffer grows for it. */
static void push_rest(struct writing *w)
{
    for (int i = 0; i < 2 && w->tx->residue_length && !w->lost; i++) {
        if (i > 0)
            writing_widen_buffer(w->fd);
        (void)writing_push_residue(w, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

/* The next record of `in`; what the kernel has no room for even then is kept, and nothing can follow that. */
static bool send_early_record(struct writing *w, uint8_t *record, struct iov *in)
{
    size_t n = in->left < RECORD_PLAINTEXT ? in->left : RECORD_PLAINTEXT, total;
    ssize_t put;
    if (w->tx->residue_length)
        return false;
    total = record_seal(w->conn->tx_aead, &w->tx->keys, RECORD_DATA, in, n, record);
    put = total ? writing_send(w, record, total, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    if (total == 0 || (put < 0 && put != -EAGAIN && put != -EINTR && !w->lost))
        return false;
    if (put < 0)
        put = 0;
    if ((size_t)put == total)
        return true;
    if (!writing_keep_residue(w->tx, record + put, total - (size_t)put))
        return false;
    push_rest(w);
    return true;
}

void stream_send_early(struct conn *conn, int fd, const uint8_t *data, size_t n)
{
    struct writing w = { .conn = conn, .fd = fd };
    struct iovec span = { (void *)(uintptr_t)data, n };
    struct iov in = iov_of(&span, 1);
    SCRATCH_GUARD scratch = scratch_take();
    struct quiet quiet;
    bool sent;
    if (!scratch || !begin(&w, &quiet))
        return;
    sent = w.tx->kernel ? writing_early_to_kernel(&w, &in) : writing_aead(conn);
    while (sent && in.left)
        sent = send_early_record(&w, scratch, &in);
    if (sent && w.tx->nagle)
        writing_push_first(conn, fd);
    if (sent) {
        writing_count(conn, (ssize_t)n);
    } else { /* the program was told that they are sent: neither it nor the peer may go on without them */
        w.tx->error = ECONNRESET;
        libc.shutdown(fd, SHUT_RDWR);
    }
    end(&w, &quiet);
}

void writing_update_keys(struct writing *w)
{
    static const uint8_t key_update[] = { 24, 0, 0, 1, 0 }; /* update_not_requested, RFC 8446 §4.6.3 */
    if (w->tx->kernel)
        writing_update_kernel(w);
    else if (send_message(w, RECORD_HANDSHAKE, key_update, sizeof key_update, 0) && keys_update(&w->tx->keys))
        atomic_store(&w->tx->update_due, false);
}

void stream_answer_update(struct conn *conn, int fd)
{
    struct writing w = { .conn = conn, .fd = fd };
    struct quiet quiet;
    if (!begin(&w, &quiet))
        return;
    if (!w.tx->closed && !w.tx->error && atomic_load(&w.tx->update_due))
        writing_update_keys(&w);
    end(&w, &quiet);
}

void stream_send_alert(struct conn *conn, int fd, uint8_t alert)
{
    struct writing w = { .conn = conn, .fd = fd };
    const uint8_t body[2] = { 2, alert }; /* fatal */
    struct quiet quiet;
    if (!begin(&w, &quiet))
        return;
    if (!w.tx->closed && !w.tx->error) {
        send_message(&w, RECORD_ALERT, body, sizeof body, 0);
        w.tx->closed = true;
        w.tx->error = EPIPE;
    }
    end(&w, &quiet);
}

/*
 * A full send buffer must not swallow the goodbye: nothing of the program follows, so the buffer may grow by it.
 * (Where the last queued segment has room the kernel takes it anyway.)
 */
void writing_widen_buffer(int fd)
{
    int size = 0;
    socklen_t length = sizeof size;
    if (libc.getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &length) == 0) {
        size += RECORD_MOST; /* the kernel doubles it */
        libc.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
}

bool stream_finish(struct conn *conn, int fd)
{
    struct writing w = { .conn = conn, .fd = fd };
    static const uint8_t close_notify[2] = { 1, ALERT_CLOSE_NOTIFY };
    int saved = errno;
    struct quiet quiet;
    bool said = true;
    if (!begin(&w, &quiet))
        return true;
    if (w.tx->kernel && !w.tx->closed && !w.tx->error) {
        said = writing_finish_kernel(&w);
        w.tx->closed = true;
    } else if (!w.tx->closed && !w.tx->error) {
        /* MSG_MORE: the kernel's FIN, which follows at once, carries it. */
        bool begun = send_message(&w, RECORD_ALERT, close_notify, sizeof close_notify, MSG_MORE);
        if (!begun || w.tx->residue_length) {
            writing_widen_buffer(fd);
            if (begun)
                writing_push_residue(&w, MSG_DONTWAIT | MSG_NOSIGNAL);
            else /* what is left of a record of the program's goes before it */
                send_message(&w, RECORD_ALERT, close_notify, sizeof close_notify, MSG_MORE);
        }
        w.tx->closed = true;
    }
    end(&w, &quiet);
    errno = saved;
    return said;
}
