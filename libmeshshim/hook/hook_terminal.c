/* libc itself gives the standard descriptors to a terminal or to /dev/null, and makes terminals. */
#include <unistd.h>

#include "base/banned.h"
#include "hook/entry.h"

static void lost_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        entry_new(fd);
}

int hook_openpty(int *master, int *slave, char *name, const struct termios *mode, const struct winsize *size)
{
    int result = libc.openpty(master, slave, name, mode, size);
    if (result == 0) {
        entry_new(*master);
        entry_new(*slave);
    }
    return result;
}

int hook_forkpty(int *master, char *name, const struct termios *mode, const struct winsize *size)
{
    pid_t child = libc.forkpty(master, name, mode, size);
    if (child == 0)
        lost_standard();
    else if (child > 0)
        entry_new(*master);
    return child;
}

int hook_login_tty(int fd)
{
    int result = libc.login_tty(fd);
    if (result == 0)
        lost_standard();
    return result;
}

int hook_daemon(int stay, int keep)
{
    int result = libc.daemon(stay, keep);
    if (result == 0 && !keep)
        lost_standard();
    return result;
}
