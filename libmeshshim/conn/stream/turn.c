/* A call's turn at the sending half: its lock, its real calls, and what a forked child does there (base/forked.h). See send_parts.h. */
#include <errno.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/scratch.h"
#include "conn/stream/send_parts.h"
#include "conn/stream/side.h"

ssize_t writing_lose(struct writing *w, ssize_t put)
{
    w->lost = true;
    w->sleeping = false;
    if (w->call.scratch)
        scratch_open(w->call.scratch);
    w->call.scratch = NULL;
    forked_admit(&w->before);
    return put >= 0 ? put : errno == EINTR ? -EINTR : -ERESTART;
}

bool writing_owns(struct writing *w)
{
    forked_refuse();
    if (__builtin_expect(forked_owns(&w->tx->lock), 1))
        return true;
    writing_lose(w, 0);
    return false;
}

bool writing_calls(struct writing *w, const void *data, int flags)
{
    bool is_scratch = w->cipher && (uintptr_t)data - (uintptr_t)w->cipher < w->records * FULL_RECORD;
    if (!writing_owns(w))
        return false;
    if (!(flags & MSG_DONTWAIT)) {
        atomic_store_explicit(&w->tx->asleep, true, memory_order_release);
        w->sleeping = true;
    }
    forked_call_begin(&w->call, is_scratch ? w->cipher : NULL);
    if (is_scratch || w->tx->kernel || !data)
        forked_admit(&w->before);
    return true;
}

ssize_t writing_called(struct writing *w, ssize_t put)
{
    forked_refuse();
    forked_call_end(&w->call);
    if (__builtin_expect(!forked_owns(&w->tx->lock), 0))
        return writing_lose(w, put);
    if (w->sleeping) {
        w->sleeping = false;
        atomic_store_explicit(&w->tx->asleep, false, memory_order_relaxed);
    }
    if (put < 0)
        return -errno;
    w->tx->taken += (uint64_t)put;
    return put;
}

ssize_t writing_put(struct writing *w, const void *data, size_t n, int flags)
{
    if (!writing_calls(w, n ? data : NULL, flags))
        return -ERESTART;
    return writing_called(w, flags & MSG_DONTWAIT ? libc_send_now(w->fd, data, n, flags)
                                                  : libc.send(w->fd, data, n, flags));
}

ssize_t writing_send(struct writing *w, const void *data, size_t n, int flags)
{
    return __builtin_expect(w->announces, 0) && n ? writing_announce(w, data, n, flags)
                                                  : writing_put(w, data, n, flags);
}

int writing_enter(struct writing *w, const struct shared *shared, int flags)
{
    int busy = side_take(&w->tx->lock, &w->tx->asleep, w->fd, flags);
    if (busy && busy != -EIO && busy != -EOWNERDEAD)
        return busy;
    w->entered = true;
    if (busy == -EIO)
        w->tx->error = ECONNRESET; /* its owner died in the middle of a record */
    else if (busy == -EOWNERDEAD)
        writing_take_over(w);
    if (conn_is_current(w->conn, w->fd, shared))
        return 0;
    lock_release(&w->tx->lock);
    forked_admit(&w->before);
    return -EBADF;
}

void writing_leave(struct writing *w, ssize_t put, bool more)
{
    w->cipher = NULL; /* it has been given back */
    if (__builtin_expect(w->lost, 0))
        return;
    if (put > 0 && __builtin_expect(w->tx->nagle, 0) && !more)
        writing_push_first(w->conn, w->fd);
    if (put > 0)
        writing_count(w->conn, put);
    lock_release(&w->tx->lock);
    forked_admit(&w->before);
    if (__builtin_expect(w->tx->deferred_length > 0, 0))
        writing_flush_deferred(w->conn, w->fd);
}
