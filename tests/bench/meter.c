/*
 * meter PIDS COMMAND [ARGUMENT…]: runs a command. Behind what it prints, a line: "processor MICROSECONDS", of the command and of
 * the processes in the list ("12,34") meanwhile.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive/clock.h"

static int run(char **command)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        execvp(command[0], command);
        perror(command[0]);
        _exit(127);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
    struct rusage used;
    uint64_t before;
    int status;

    if (argc < 3) {
        fputs("usage: meter PIDS COMMAND [ARGUMENT…]\n", stderr);
        return 2;
    }
    before = processor_ns(argv[1]);
    status = run(argv + 2);
    getrusage(RUSAGE_CHILDREN, &used);
    printf("processor %.0f\n", (double)(processor_ns(argv[1]) - before) / 1000 +
                                   (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
                                   (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec));
    return status;
}
