/* See side.h. */
#include "conn/stream/side.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/banned.h"
#include "base/libc.h"

int side_wait(struct lock *lock, _Atomic shared_bool *asleep, int fd, int flags, enum lock_result tried,
              const struct forked_state *before)
{
    enum lock_result result;
    forked_admit(before);
    if (tried == LOCK_MINE)
        return -EAGAIN; /* a signal handler came back into the connection that it interrupted */
    if (atomic_load_explicit(asleep, memory_order_relaxed) && !lock_is_orphan(lock) &&
        ((flags & MSG_DONTWAIT) || (libc.fcntl(fd, F_GETFL, 0) & O_NONBLOCK)))
        return -EAGAIN;
    result = lock_contended(lock);
    forked_refuse();
    if (!forked_owns(lock)) {
        forked_admit(before);
        return -ERESTART;
    }
    if (result == LOCK_ORPHAN)
        return atomic_exchange(asleep, false) ? -EOWNERDEAD : -EIO;
    return 0;
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
