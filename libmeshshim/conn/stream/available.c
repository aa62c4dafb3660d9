/* What there is to be read, by those who do not read it: FIONREAD, and a close. See stream.h. */
#include <errno.h>
#include <sys/ioctl.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/quiet.h"
#include "base/scratch.h"
#include "conn/stream/receive_parts.h"
#include "conn/stream/undo.h"

enum { COUNT_EXACTLY = 16 * 1024 };

static ssize_t available(struct reading *r)
{
    SCRATCH_GUARD scratch = NULL;
    int ciphertext = 0;
    ssize_t result;
    if (libc.ioctl(r->fd, FIONREAD, (long)&ciphertext) < 0)
        return -errno;
    if (r->rx->kernel) {
        scratch = r->cipher = scratch_take();
        return scratch ? reading_count_kernel(r) : 0;
    }
    /* A little is opened and counted exactly; of much, the ciphertext behind it is a bound that is never too low. */
    if (ciphertext > (int)reading_held(r->rx) && !r->rx->ended && !r->rx->error &&
        r->rx->kept_length < COUNT_EXACTLY && (scratch = scratch_take()) != NULL) {
        r->cipher = scratch;
        reading_keep_until(r, COUNT_EXACTLY, MSG_DONTWAIT);
        if (r->lost)
            return -ERESTART;
        reading_save_carry(r, 0);
    }
    result = (ssize_t)reading_kept(r->rx).length;
    r->rx->told = result > 0;
    if (result >= COUNT_EXACTLY && libc.ioctl(r->fd, FIONREAD, (long)&ciphertext) == 0 &&
        ciphertext > RECORD_OVERHEAD)
        result += ciphertext - RECORD_OVERHEAD;
    return result;
}

static ssize_t available_once(struct conn *conn, struct shared *shared, int fd)
{
    struct reading r = {
        .conn = conn, .rx = &shared->rx, .fd = fd, .flags = MSG_DONTWAIT, .before = forked_now
    };
    struct undo undo;
    ssize_t result;
    undo_begin(&undo, reading_abandoned, &r);
    result = reading_enter(&r, shared);
    if (result == 0) {
        result = available(&r);
        reading_leave(&r);
    }
    undo_end(&undo);
    return result == -EAGAIN || result == -ECONNRESET ? 0 : result; /* who is reading will know */
}

ssize_t stream_available(struct conn *conn, int fd)
{
    struct shared *shared = conn->shared;
    ssize_t result;
    if (!shared)
        return -EBADF;
    do
        result = available_once(conn, shared, fd);
    while (result == -ERESTART);
    if (atomic_load(&conn->closing))
        conn_settle(conn);
    return result;
}

static void drain(struct reading *r)
{
    SCRATCH_GUARD scratch = NULL;
    if (r->rx->kernel) {
        reading_drain_kernel(r);
    } else if (!r->rx->ended && !r->rx->error && r->rx->kept_length == 0 &&
               (scratch = scratch_take()) != NULL) {
        r->cipher = scratch;
        reading_keep_until(r, 1, MSG_DONTWAIT);
        reading_save_carry(r, 0);
    }
}

void stream_drain_control(struct conn *conn, int fd)
{
    struct reading r = { .conn = conn, .fd = fd, .flags = MSG_DONTWAIT };
    struct shared *shared = conn->shared;
    struct quiet quiet;
    if (!shared)
        return;
    r.rx = &shared->rx;
    quiet_begin(&quiet); /* not to be left in the middle by a handler */
    r.before = forked_now;
    if (lock_try(&r.rx->lock) == LOCK_TAKEN) {
        drain(&r);
        reading_leave(&r);
    }
    quiet_end(&quiet);
}
