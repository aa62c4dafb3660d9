/* See ownfd.h. */
#include "conn/ownfd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/quiet.h"

enum { OWN = OWNFD_MOST / 2 };

/* Each place holds a descriptor plus one; 0 is free. */
static _Atomic int own[OWN];
static _Atomic int own_count;
static _Atomic int own_lowest = INT_MAX; /* of all that there ever were: a program's own are mostly below */

/*
 * Just beyond the program's own limit, where that may be raised for a moment: so none of its numbers is ever taken. Not so high that the
 * kernel would have to grow a descriptor table to a million entries for us: then near the top of what a program usually counts to.
 */
static int to_high_place(int fd)
{
    enum { HIGH = 65536, USUAL = 1024 };
    struct rlimit limit, more;
    struct quiet quiet;
    int high = -1;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return -1;
    if (limit.rlim_cur > HIGH)
        return libc.fcntl(fd, F_DUPFD_CLOEXEC, USUAL - OWN);
    more = limit;
    more.rlim_cur += OWNFD_MOST;
    quiet_begin(&quiet);
    if (more.rlim_cur <= limit.rlim_max && setrlimit(RLIMIT_NOFILE, &more) == 0) {
        high = libc.fcntl(fd, F_DUPFD_CLOEXEC, (long)limit.rlim_cur);
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    quiet_end(&quiet);
    if (high < 0 && limit.rlim_cur > 2 * OWN)
        high = libc.fcntl(fd, F_DUPFD_CLOEXEC, (long)limit.rlim_cur - OWN);
    return high >= 0 ? high : libc.fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

bool ownfd_adopt(int fd)
{
    int lowest = atomic_load(&own_lowest);
    while (fd < lowest && !atomic_compare_exchange_weak(&own_lowest, &lowest, fd))
        continue;
    for (int i = 0; i < OWN; i++) {
        int empty = 0;
        if (atomic_compare_exchange_strong(&own[i], &empty, fd + 1)) {
            atomic_fetch_add(&own_count, 1);
            return true;
        }
    }
    return false;
}

int ownfd_make(int (*make)(void))
{
    struct rlimit limit, more;
    struct quiet quiet;
    int fd = make();
    if (fd != -EMFILE || getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return ownfd_keep(fd);
    more = limit;
    more.rlim_cur += OWNFD_MOST;
    quiet_begin(&quiet);
    if (more.rlim_cur <= limit.rlim_max && setrlimit(RLIMIT_NOFILE, &more) == 0) {
        fd = make();
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    quiet_end(&quiet);
    return ownfd_keep(fd);
}

int ownfd_keep(int fd)
{
    int high;
    if (fd < 0)
        return fd;
    high = to_high_place(fd);
    if (high >= 0) {
        libc.close(fd);
        fd = high;
    }
    (void)ownfd_adopt(fd); /* where there are too many, it is used without the shield */
    return fd;
}

int ownfd_copy(int fd)
{
    int high = to_high_place(fd);
    if (high < 0 || ownfd_adopt(high))
        return high;
    libc.close(high);
    return -1;
}

void ownfd_drop(int fd)
{
    for (int i = 0; i < OWN; i++) {
        int held = fd + 1;
        if (atomic_compare_exchange_strong(&own[i], &held, 0))
            atomic_fetch_sub(&own_count, 1);
    }
    libc.close(fd);
}

bool ownfd_is(int fd)
{
    if (atomic_load_explicit(&own_count, memory_order_relaxed) == 0 ||
        fd < atomic_load_explicit(&own_lowest, memory_order_relaxed))
        return false;
    for (int i = 0; i < OWN; i++)
        if (atomic_load_explicit(&own[i], memory_order_relaxed) == fd + 1)
            return true;
    return false;
}

int ownfd_next(int from)
{
    int lowest = -1;
    for (int i = 0; i < OWN; i++) {
        int fd = atomic_load_explicit(&own[i], memory_order_relaxed) - 1;
        if (fd >= from && fd >= 0 && (lowest < 0 || fd < lowest))
            lowest = fd;
    }
    return lowest;
}
