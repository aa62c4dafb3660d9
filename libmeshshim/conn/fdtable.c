/* See fdtable.h. */
#include "conn/fdtable.h"

#include <sys/mman.h>

#include "base/banned.h"

struct conn *_Atomic *fdtable;
unsigned fdtable_size;
static _Atomic int end;

bool fdtable_init(void)
{
    void *map = mmap(NULL, FDTABLE_SIZE * sizeof *fdtable, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return false;
    fdtable = map;
    fdtable_size = FDTABLE_SIZE;
    return true;
}

bool fdtable_set(int fd, struct conn *conn)
{
    int seen = atomic_load(&end);
    if ((unsigned)fd >= fdtable_size)
        return false;
    atomic_store_explicit(&fdtable[fd], conn, memory_order_release);
    while (fd >= seen && !atomic_compare_exchange_weak(&end, &seen, fd + 1))
        continue;
    return true;
}

/* A connection's address is even: the lowest bit says that its close has begun. */
static struct conn *leaving(struct conn *conn)
{
    return (struct conn *)((uintptr_t)conn | 1);
}

bool fdtable_leave(int fd, struct conn *conn)
{
    struct conn *expected = conn;
    return (unsigned)fd < fdtable_size &&
           atomic_compare_exchange_strong(&fdtable[fd], &expected, leaving(conn));
}

bool fdtable_left(int fd, struct conn *conn)
{
    struct conn *expected = leaving(conn);
    return (unsigned)fd < fdtable_size && atomic_compare_exchange_strong(&fdtable[fd], &expected, NULL);
}

bool fdtable_clear(int fd, struct conn *conn)
{
    return (unsigned)fd < fdtable_size && atomic_compare_exchange_strong(&fdtable[fd], &conn, NULL);
}

int fdtable_end(void)
{
    return atomic_load(&end);
}
