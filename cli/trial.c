/* See trial.h. */
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t nanoseconds(const struct timeval *t)
{
    return (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_usec * 1000;
}

/* In the child. What goes wrong is told on standard error; the parent sees status 127. */
static void become(char *const *arguments, const struct meshing *meshing, int answer)
{
    struct buf why = BUF_INIT;
    char number[16];
    int nothing = open("/dev/null", O_RDWR);

    snprintf(number, sizeof number, "%d", answer);
    if (nothing >= 0) {
        dup2(nothing, STDIN_FILENO);
        dup2(nothing, STDOUT_FILENO);
    }
    if (answer >= 0 && (fcntl(answer, F_SETFD, 0) != 0 || setenv(TRIAL_FD, number, 1) != 0))
        _exit(127);
    if (meshing ? launch_mesh(meshing, &why) : setenv("MESHSHIM_DISABLE", "1", 1) == 0)
        execvp(arguments[0], arguments);
    _exit(127);
}

bool trial_run(char *const *arguments, const struct meshing *meshing, int answer, struct trial *trial,
               struct buf *why)
{
    struct rusage used;
    uint64_t start = now_ns();
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        become(arguments, meshing, answer);
    if (child < 0 || wait4(child, &status, 0, &used) != child) {
        buf_printf(why, "cannot start %s (%s); free some memory or processes and try again", arguments[0],
                   strerror(errno));
        return false;
    }
    trial->wall_ns = now_ns() - start;
    trial->processor_ns = nanoseconds(&used.ru_utime) + nanoseconds(&used.ru_stime);
    trial->resident_kib = (uint64_t)used.ru_maxrss;
    trial->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
}
