/* Processes: what belongs to an open file description goes on in a forked child. */
#include <unistd.h>

#include "base/banned.h"
#include "base/process.h"
#include "conn/conn.h"
#include "hook/entry.h"
#include "hook/start.h"

pid_t hook_fork(void)
{
    pid_t child;
    conn_before_fork();
    child = libc.fork();
    if (child == 0) {
        start_after_fork();
    } else if (child > 0) {
        int saved = errno;
        conn_after_fork_in_parent(child);
        errno = saved;
    } else {
        int saved = errno;
        conn_fork_failed();
        errno = saved;
    }
    return child;
}

void hook__exit(int status)
{
    if (!process_is_unseen_child() && !process_is_borrowed())
        start_end();
    libc._exit(status);
    __builtin_unreachable();
}

void hook__Exit(int status)
{
    hook__exit(status);
}
