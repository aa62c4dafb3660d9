/*
 * POSIX asynchronous input and output: threads of libc's read and write by system calls that nothing can see. On a protected connection
 * it is refused as where there is none.
 */
#include "base/banned.h"
#include "hook/entry.h"

static bool is_bad(int fd)
{
    return protected_conn(fd) != NULL;
}

#define HOOK(name, type)                                                                                     \
    int hook_##name(type *request)                                                                           \
    {                                                                                                        \
        if (!is_nowhere(request) && is_bad(request->aio_fildes))                                             \
            return (int)as_result(-ENOSYS);                                                                  \
        return libc.name(request);                                                                           \
    }
HOOK(aio_read, struct aiocb)
HOOK(aio_read64, struct aiocb64)
HOOK(aio_write, struct aiocb)
HOOK(aio_write64, struct aiocb64)

#define HOOK_LIST(name, type)                                                                                \
    int hook_##name(int mode, type *const *list, int n, struct sigevent *notice)                             \
    {                                                                                                        \
        for (int i = 0; i < n && !is_nowhere(list); i++)                                                     \
            if (list[i] && list[i]->aio_lio_opcode != LIO_NOP && is_bad(list[i]->aio_fildes))                \
                return (int)as_result(-ENOSYS);                                                              \
        return libc.name(mode, list, n, notice);                                                             \
    }
HOOK_LIST(lio_listio, struct aiocb)
HOOK_LIST(lio_listio64, struct aiocb64)
