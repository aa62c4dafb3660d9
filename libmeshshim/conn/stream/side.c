/* See side.h. */
#include "conn/stream/side.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/banned.h"
#include "base/libc.h"

int side_take(struct lock *lock, _Atomic shared_bool *asleep, int fd, int flags)
{
    switch (lock_try(lock)) {
    case LOCK_TAKEN:
        return 0;
    case LOCK_MINE:
        return -EAGAIN; /* a signal handler came back into the connection that it interrupted */
    default:
        break;
    }
    if (atomic_load_explicit(asleep, memory_order_relaxed) && !lock_is_orphan(lock) &&
        ((flags & MSG_DONTWAIT) || (libc.fcntl(fd, F_GETFL, 0) & O_NONBLOCK)))
        return -EAGAIN;
    switch (lock_take(lock)) {
    case LOCK_MINE:
        return -EAGAIN;
    case LOCK_ORPHAN:
        return atomic_exchange(asleep, false) ? -EOWNERDEAD : -EIO;
    default:
        return 0;
    }
}

bool side_take_last(struct lock *lock, _Atomic shared_bool *asleep, int *error)
{
    enum lock_result taken = lock_try(lock);
    if (taken == LOCK_BUSY && !atomic_load(asleep))
        taken = lock_take(lock);
    if (taken == LOCK_ORPHAN)
        *error = ECONNRESET;
    return taken == LOCK_TAKEN || taken == LOCK_ORPHAN;
}
