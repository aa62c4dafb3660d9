/* See ownfd.h. */
#include "conn/ownfd.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"

enum { OWN = 32 };

/* Each place holds a descriptor plus one; 0 is free. */
static _Atomic int own[OWN];
static _Atomic int own_count;

/*
 * Near the top of what a program usually counts to, but not so high that the kernel would have to grow
 * a descriptor table to a million entries for us.
 */
static int high_place(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > 1024)
        return 1024 - OWN;
    return limit.rlim_cur > 2 * OWN ? (int)limit.rlim_cur - OWN : 3;
}

void ownfd_adopt(int fd)
{
    for (int i = 0; i < OWN; i++) {
        int empty = 0;
        if (atomic_compare_exchange_strong(&own[i], &empty, fd + 1)) {
            atomic_fetch_add(&own_count, 1);
            break;
        }
    }
}

int ownfd_keep(int fd)
{
    int high;
    if (fd < 0)
        return fd;
    high = libc.fcntl(fd, F_DUPFD_CLOEXEC, high_place());
    if (high >= 0) {
        libc.close(fd);
        fd = high;
    }
    ownfd_adopt(fd);
    return fd;
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
    if (atomic_load_explicit(&own_count, memory_order_relaxed) == 0 || fd < 0)
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
