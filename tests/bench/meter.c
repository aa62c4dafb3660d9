/*
 * meter PIDS COMMAND [ARGUMENT…]: runs a command. Behind what it prints, a line: "processor MICROSECONDS", of the command and of
 * the processes in the list ("12,34") meanwhile. A child that such a process made for the command counts when the process has
 * waited for it: so does this, for some seconds.
 */
#include <stdio.h>
#include <stdlib.h>
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

static int children_of(long pid)
{
    char path[64];
    int count = 0;
    long child;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", pid, pid);
    file = fopen(path, "r");
    while (file && fscanf(file, "%ld", &child) == 1)
        count++;
    if (file)
        fclose(file);
    return count;
}

static int children(const char *pids)
{
    int count = 0;
    for (char *end = NULL; *pids; pids = *end ? end + 1 : end)
        count += children_of(strtol(pids, &end, 10));
    return count;
}

static void wait_for_children(const char *pids, int before)
{
    for (uint64_t end = now_ns() + 5000000000; children(pids) > before && now_ns() < end;)
        usleep(1000);
}

int main(int argc, char **argv)
{
    struct rusage used;
    uint64_t before;
    int status, others;

    if (argc < 3) {
        fputs("usage: meter PIDS COMMAND [ARGUMENT…]\n", stderr);
        return 2;
    }
    others = children(argv[1]);
    before = processor_ns(argv[1]);
    status = run(argv + 2);
    wait_for_children(argv[1], others);
    getrusage(RUSAGE_CHILDREN, &used);
    printf("processor %.0f\n", (double)(processor_ns(argv[1]) - before) / 1000 +
                                   (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
                                   (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec));
    return status;
}
