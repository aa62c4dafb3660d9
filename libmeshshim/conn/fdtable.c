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

bool fdtable_clear(int fd, struct conn *conn)
{
    if ((unsigned)fd >= fdtable_size)
        return false;
    return atomic_compare_exchange_strong(&fdtable[fd], &conn, NULL);
}

int fdtable_end(void)
{
    return atomic_load(&end);
}
