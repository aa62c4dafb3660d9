/* See table.h. */
#include "admin/table.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"

/* In the thread's table. Nobody waits for its end, and a socket cannot be opened again. */
static int journal = -1;

/* Something that nobody waits for keeps the three numbers taken: a log line must not end up in a client. */
static void occupy(int fd)
{
    int idle = libc.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (idle >= 0 && idle != fd) {
        libc.dup3(idle, fd, O_CLOEXEC);
        libc.close(idle);
    }
}

/* As systemd gives it to services. */
static bool is_journal(int fd)
{
    static const char place[] = "/run/systemd/journal";
    struct sockaddr_un peer = { .sun_family = AF_UNSPEC };
    socklen_t length = sizeof peer;
    return libc.getpeername(fd, (struct sockaddr *)&peer, &length) == 0 && peer.sun_family == AF_UNIX &&
           strncmp(peer.sun_path, place, sizeof place - 1) == 0;
}

/*
 * close_range alone cannot leave an empty table without copying all of it first: what is above the standard descriptors is
 * never copied, and so never held, not even for a moment.
 */
bool table_leave(void)
{
    if (libc.close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_UNSHARE) != 0)
        return false;
    journal = is_journal(STDERR_FILENO) ? libc.fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        occupy(fd);
    return true;
}

/* /proc/self is the process: its table is the program's. */
void table_borrow_stderr(void)
{
    int fd = libc.open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
    if (fd < 0 && journal < 0)
        return;
    libc.dup3(fd < 0 ? journal : fd, STDERR_FILENO, O_CLOEXEC);
    if (fd >= 0)
        libc.close(fd);
}

void table_return_stderr(void)
{
    occupy(STDERR_FILENO);
}
