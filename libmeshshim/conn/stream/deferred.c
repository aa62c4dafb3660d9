/*
 * What a signal handler sends on a connection on which the very thread that it interrupted is sending. It cannot wait for the lock, and on a
 * plain socket it need not: its bytes are kept, and follow as a record of their own when the lock is free. See send_parts.h.
 */
#include <errno.h>
#include <string.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/quiet.h"
#include "conn/stream/send_parts.h"

ssize_t writing_defer(struct sending *tx, struct iov *in)
{
    struct quiet quiet;
    uint32_t length;
    uint8_t *deferred;
    ssize_t n = 0;
    if (tx->error || tx->closed)
        return -EPIPE;
    quiet_begin(&quiet); /* another handler may interrupt this one */
    deferred = arena_grant(&tx->deferred, DEFERRED_MOST);
    length = tx->deferred_length;
    if (length > DEFERRED_MOST || in->left > DEFERRED_MOST - length)
        in->left = 0; /* all or nothing: a message is not torn */
    while (deferred && in->left) {
        struct iovec span = iov_span(in, in->left);
        memcpy(deferred + length, span.iov_base, span.iov_len);
        tx->deferred_length = length += (uint32_t)span.iov_len;
        n += (ssize_t)span.iov_len;
        iov_advance(in, span.iov_len);
    }
    quiet_end(&quiet);
    return n ? n : -EAGAIN;
}

/* As residue: from there it goes out before anything else, waited for where the call may wait. */
bool writing_seal_deferred(struct writing *w)
{
    struct sending *tx = w->tx;
    struct quiet quiet;
    struct iovec span;
    struct iov in;
    uint8_t *residue;
    size_t total = 0;
    quiet_begin(&quiet);
    span = (struct iovec){ arena_at(ARENA_ONCE(tx->deferred), DEFERRED_MOST), tx->deferred_length };
    in = iov_of(&span, 1);
    residue = arena_grant(&tx->residue, RECORD_MOST);
    if (residue && span.iov_base && span.iov_len <= DEFERRED_MOST && writing_aead(w->conn))
        total = record_seal(w->conn->tx_aead, &tx->keys, RECORD_DATA, &in, span.iov_len, residue);
    tx->residue_at = 0;
    tx->residue_length = (uint32_t)total;
    if (total) {
        tx->deferred_length = 0;
        arena_drop(&tx->deferred, DEFERRED_MOST);
        atomic_fetch_add_explicit(&w->conn->counters->sent, span.iov_len, memory_order_relaxed);
    }
    quiet_end(&quiet);
    return total > 0;
}

void writing_flush_deferred(struct conn *conn, int fd)
{
    struct writing w = { .conn = conn, .fd = fd };
    struct shared *shared = conn->shared;
    struct quiet quiet;
    if (!shared)
        return;
    quiet_begin(&quiet);
    w.before = forked_now;
    if (lock_try(&shared->tx.lock) == LOCK_TAKEN) {
        w.tx = &shared->tx;
        if (conn_is_current(conn, fd, shared) && !w.tx->error && !w.tx->closed)
            writing_push_residue(&w, MSG_DONTWAIT | MSG_NOSIGNAL);
        lock_release(&shared->tx.lock);
        forked_admit(&w.before);
    }
    quiet_end(&quiet);
}
