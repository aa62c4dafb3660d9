/*
 * Records that have begun to come. In the kernel they make a descriptor readable before there is any plaintext, and they keep the receive
 * buffer full: a few bytes of a segment hold all of its memory, the window stays closed, and the rest never comes.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/scratch.h"
#include "conn/family/arena.h"
#include "conn/stream/receive_parts.h"
#include "conn/stream/undo.h"

/* Of the record at the stream's head: is more than nothing here, and less than all? */
static bool begun_only(const struct reading *r)
{
    const struct receiving *rx = r->rx;
    uint8_t head[RECORD_HEADER];
    size_t have = ARENA_ONCE(rx->carry_length), known = have < sizeof head ? have : sizeof head;
    const uint8_t *carry = known ? arena_at(ARENA_ONCE(rx->carry), RECORD_MOST) : NULL;
    int queued = 0, total;
    if (libc.ioctl(r->fd, FIONREAD, (long)&queued) < 0 || queued <= 0) /* an end, or an error */
        return false;
    have += (size_t)queued;
    if (have >= RECORD_MOST)
        return false;
    if (have < sizeof head)
        return true;
    if (known && !carry)
        return false;
    if (known)
        memcpy(head, carry, known);
    if (known < sizeof head && libc.recv(r->fd, head + known, sizeof head - known, MSG_PEEK | MSG_DONTWAIT) !=
                                   (ssize_t)(sizeof head - known))
        return false;
    total = record_length(head);
    return total > 0 && have < (size_t)total;
}

bool reading_take_begun(struct reading *r)
{
    const struct receiving *rx = r->rx;
    int result;
    if (rx->kept_length > 0 || rx->held || rx->ended || rx->error || !begun_only(r))
        return true;
    result = reading_keep_until(r, 1, MSG_DONTWAIT);
    reading_save_carry(r, 0);
    return result != -EAGAIN;
}

bool stream_is_readable(struct conn *conn, int fd)
{
    struct reading r = { .conn = conn, .fd = fd, .flags = MSG_DONTWAIT, .before = forked_now };
    struct shared *shared = conn->shared;
    SCRATCH_GUARD scratch = scratch_take();
    bool readable = true;
    struct undo undo;
    if (!shared || !scratch)
        return true;
    r.rx = &shared->rx;
    undo_begin(&undo, reading_abandoned, &r);
    forked_refuse();
    if (lock_try(&shared->rx.lock) == LOCK_TAKEN) { /* else who is reading will know */
        r.entered = true;
        r.cipher = scratch;
        if (conn_is_current(conn, fd, shared))
            readable = r.rx->kernel ? reading_look_kernel(&r) : reading_take_begun(&r);
        reading_leave(&r);
    }
    forked_admit(&r.before);
    undo_end(&undo);
    if (atomic_load(&conn->closing))
        conn_settle(conn);
    return readable;
}
