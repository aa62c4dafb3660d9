/* The same job on the same connection, in a child or in another program. */
#include "subject.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static bool ended_well(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    if (WIFSIGNALED(status)) { /* the same end, so that it is seen */
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    if (WEXITSTATUS(status) == 3)
        exit(3);
    errno = ECHILD;
    return WEXITSTATUS(status) == 0;
}

bool by_child(int fd, size_t n, bool (*job)(int, size_t))
{
    pid_t child = fork();
    if (child == 0) {
        alarm(PATIENCE);
        _exit(job(fd, n) ? 0 : 1);
    }
    return child > 0 && ended_well(child);
}

bool by_program(int fd, size_t n, char *job, bool spawn)
{
    char number[12], count[12], *argv[] = { own_path, job, number, count, NULL };
    pid_t child;
    snprintf(number, sizeof number, "%d", fd);
    snprintf(count, sizeof count, "%zu", n);
    if (spawn) {
        errno = posix_spawn(&child, own_path, NULL, NULL, argv, environ);
        return errno == 0 && ended_well(child);
    }
    child = fork();
    if (child == 0) {
        alarm(PATIENCE);
        execv(own_path, argv);
        _exit(1);
    }
    return child > 0 && ended_well(child);
}
