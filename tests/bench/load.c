/* load COUNT LIBRARY CONFIG: starts /bin/true, plain and preloaded in turn, and prints the microseconds of each run. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double run_once(char **environment)
{
    char program[] = "/bin/true", *arguments[] = { program, NULL };
    double start = now_us();
    pid_t child;
    int status;
    if (posix_spawn(&child, program, NULL, NULL, arguments, environment) != 0 ||
        waitpid(child, &status, 0) != child || status != 0)
        return -1;
    return now_us() - start;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: load COUNT LIBRARY CONFIG\n");
        return 2;
    }
    char preload[4096], config[4096], path[] = "PATH=/usr/bin:/bin";
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", argv[2]);
    snprintf(config, sizeof config, "MESHSHIM_CONFIG=%s", argv[3]);
    char *plain[] = { path, NULL }, *meshed[] = { path, preload, config, NULL };
    for (long i = strtol(argv[1], NULL, 10); i > 0; i--) {
        double without = run_once(plain), with = run_once(meshed);
        if (without < 0 || with < 0) {
            fprintf(stderr, "load: /bin/true did not run\n");
            return 1;
        }
        printf("plain %.1f\nmeshed %.1f\n", without, with);
    }
    return 0;
}
