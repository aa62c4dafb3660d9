/*
 * Plaintext that the program has not taken. While there is any, the last byte of its record stays unread in the kernel, so that the
 * descriptor stays readable; and with it what comes before, where that is less than another system call is worth. See receive_parts.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/scratch.h"
#include "conn/family/arena.h"
#include "conn/stream/receive_parts.h"

enum { KEEP_MOST = 96 * 1024 }; /* for MSG_PEEK and FIONREAD */
enum { HOLD_MOST = SCRATCH_BEFORE };

struct kept reading_kept(const struct receiving *rx)
{
    struct kept kept = { NULL, ARENA_ONCE(rx->kept_at), ARENA_ONCE(rx->kept_length),
                         ARENA_ONCE(rx->kept_room) };
    if (kept.at <= kept.room && kept.length <= kept.room - kept.at)
        kept.piece = arena_at(ARENA_ONCE(rx->kept), kept.room);
    return kept.piece ? kept : (struct kept){ 0 };
}

uint8_t *reading_make_room(struct receiving *rx, size_t more)
{
    struct kept kept = reading_kept(rx);
    /* Never in the arena's class of struct shared, whose memory must stay of its kind: see conn.h. */
    size_t need = kept.length + more < 4096 ? 4096 : kept.length + more;
    uint8_t *bigger;
    if (kept.piece && kept.room >= need) {
        if (kept.at + kept.length + more > kept.room) {
            memmove(kept.piece, kept.piece + kept.at, kept.length);
            rx->kept_at = kept.at = 0;
        }
        return kept.piece + kept.at + kept.length;
    }
    bigger = arena_alloc(need);
    if (!bigger)
        return NULL;
    if (kept.length)
        memcpy(bigger, kept.piece + kept.at, kept.length);
    arena_drop(&rx->kept, kept.room);
    rx->kept = arena_ref_of(bigger);
    rx->kept_at = 0;
    rx->kept_length = kept.length;
    rx->kept_room = (uint32_t)need;
    return bigger + kept.length;
}

/*
 * With SO_RCVLOWAT the kernel waits for that much ciphertext before it calls the socket readable, but while plaintext is kept one
 * byte must do.
 */
void reading_set_low_water(int fd, const struct receiving *rx)
{
    int bytes = rx->held ? 1 : (int)(rx->low_water ? rx->low_water + RECORD_OVERHEAD : 1);
    libc.setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

size_t reading_held(const struct receiving *rx)
{
    size_t held = ARENA_ONCE(rx->held);
    return held < HOLD_MOST ? held : HOLD_MOST;
}

void reading_set_held(struct reading *r, size_t held)
{
    r->rx->held = (uint16_t)held;
    if (__builtin_expect(r->rx->low_water, 0))
        reading_set_low_water(r->fd, r->rx);
}

void reading_release_held(struct reading *r)
{
    uint8_t gone[HOLD_MOST];
    size_t held = reading_held(r->rx);
    ssize_t got = held ? libc_recv_now(r->fd, gone, held, 0) : 0;
    if (got > 0)
        reading_set_held(r, held - (size_t)got);
}

void reading_take_kept(struct reading *r, struct iov *out)
{
    struct receiving *rx = r->rx;
    struct kept kept = reading_kept(rx);
    size_t n = kept.length ? iov_fill(out, kept.piece + kept.at, kept.length) : 0;
    r->done += n;
    rx->kept_at = kept.at + (uint32_t)n;
    rx->kept_length = kept.length - (uint32_t)n;
    if (n < kept.length)
        return;
    arena_drop(&rx->kept, kept.room);
    rx->kept_at = rx->kept_room = 0;
    if (out->left == 0)
        reading_release_held(r);
}

/* The record of `total` bytes at the scratch's start: its last ones, at least one, are only looked at. As reading_keep_large. */
static int look_at_rest(struct reading *r, size_t total, int flags)
{
    for (;;) {
        size_t rest = total - r->length;
        ssize_t got = 0;
        int result;
        if (rest <= HOLD_MOST) {
            got = reading_recv(r, r->cipher + r->length, rest, flags | MSG_PEEK);
            if (got <= 0 || (size_t)got == rest)
                return got > 0 ? 1 : (int)got;
        }
        result = reading_fetch(r, total - 1, flags);
        if (result <= 0)
            return result;
    }
}

int reading_keep_large(struct reading *r, size_t total, struct iov *out, int flags)
{
    int result = look_at_rest(r, total, flags);
    if (result <= 0)
        return result;
    result = reading_open(r, 0, total, out, true);
    if (result < 0)
        return result;
    reading_set_held(r, total - r->length);
    r->length = 0;
    if (r->rx->kept_length == 0) /* an alert or a ticket: nothing to keep the bytes for */
        reading_release_held(r);
    return 1;
}

/* While plaintext is kept, another record may be taken only where all of it has come: one byte must always stay behind. */
static bool next_is_whole(struct reading *r)
{
    uint8_t head[HOLD_MOST + RECORD_HEADER];
    size_t held = reading_held(r->rx), most = held + RECORD_HEADER;
    int queued = 0, total;
    if (libc_recv_now(r->fd, head, most, MSG_PEEK) < (ssize_t)most)
        return false;
    total = record_length(head + held);
    return total < 0 || (libc.ioctl(r->fd, FIONREAD, (long)&queued) == 0 && queued >= (int)held + total);
}

/*
 * Keeps plaintext until at least `want` bytes are there or the kernel is dry; something of the last record stays unread. The rule for
 * every call that must know plaintext without taking it.
 */
int reading_keep_until(struct reading *r, size_t want, int first_flags)
{
    struct receiving *rx = r->rx;
    reading_load_carry(r);
    if (want > KEEP_MOST)
        want = KEEP_MOST;
    while (rx->kept_length < want && !rx->ended && !rx->error) {
        int flags = rx->kept_length ? first_flags | MSG_DONTWAIT : first_flags, result, total;
        if (rx->kept_length && r->length == 0 && !next_is_whole(r))
            return 0;
        if (r->length < RECORD_HEADER) {
            result = reading_fetch(r, RECORD_HEADER, flags);
            if (result > 0)
                continue;
            return result == 0 ? reading_kernel_end(r) : result;
        }
        total = record_length(r->cipher);
        if (total < 0)
            return reading_fail_protocol(r, -total);
        result = reading_keep_large(r, (size_t)total, NULL, flags);
        if (result == 0)
            return reading_kernel_end(r);
        if (result < 0)
            return result;
    }
    return 0;
}

ssize_t reading_peek(struct reading *r, struct iov *out)
{
    struct receiving *rx = r->rx;
    struct kept kept;
    size_t want = r->flags & MSG_WAITALL ? out->left : 1;
    int result = 0;
    if (rx->kept_length < out->left) {
        result = reading_keep_until(r, out->left,
                                    (r->flags & MSG_DONTWAIT) | (rx->kept_length >= want ? MSG_DONTWAIT : 0));
        reading_save_carry(r, 0);
        if (r->lost)
            return result;
    }
    kept = reading_kept(rx);
    if (kept.length)
        return (ssize_t)iov_fill(out, kept.piece + kept.at, kept.length);
    reading_told(r, result);
    return result;
}
