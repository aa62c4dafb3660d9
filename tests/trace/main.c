/*
 * The trace test: small named scripts over a pair of TCP sockets, in two processes, a line a step.
 *
 *   trace --list
 *   trace NAME                                            plain
 *   trace --preload LIBS --client INI --server INI NAME   meshed: LD_PRELOAD and MESHSHIM_CONFIG of each
 * process
 *   trace --continue NAME DESCRIPTOR ARGUMENT…            a program that a script starts, see programs.c
 *
 * tests/integration/trace.sh compares the two.
 */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

const struct script scripts[] = {
#define SCRIPT(name) { #name, script_##name },
#include "scripts.def"
#undef SCRIPT
};
const size_t script_count = sizeof scripts / sizeof scripts[0];

enum { CONTROL = 3, PATIENCE = 20 };

struct options {
    const char *preload, *client_config, *server_config, *side, *name;
    int patience; /* seconds for one script */
};

static const struct script *find(const char *name)
{
    for (size_t i = 0; i < script_count; i++)
        if (strcmp(scripts[i].name, name) == 0)
            return &scripts[i];
    return NULL;
}

/* In the child: the same descriptors in every run, so that numbers can be compared. */
static void become_side(const struct options *o, bool client, int control, int output)
{
    const char *config = client ? o->client_config : o->server_config;
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    dup2(control, 60);
    dup2(output, STDOUT_FILENO);
    dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
    dup2(60, CONTROL);
    closefrom(CONTROL + 1);
    if (n <= 0)
        _exit(126);
    self[n] = 0;
    if (o->preload)
        setenv("LD_PRELOAD", o->preload, 1);
    if (config)
        setenv("MESHSHIM_CONFIG", config, 1);
    execl(self, self, "--side", client ? "client" : "server", o->name, (char *)NULL);
    _exit(126);
}

static pid_t start(const struct options *o, bool client, int control, int output)
{
    pid_t pid = fork();
    if (pid == 0)
        become_side(o, client, control, output);
    setpgid(pid, pid);
    return pid;
}

/* Prints what one process wrote, each line under its name. */
static void print_lines(const char *who, int output)
{
    char line[1024];
    FILE *f;
    lseek(output, 0, SEEK_SET);
    f = fdopen(dup(output), "r");
    while (f && fgets(line, sizeof line, f))
        printf("%s: %s%s", who, line, strchr(line, '\n') ? "" : "\n");
    if (f)
        fclose(f);
}

static int verdict(const char *who, int status)
{
    if (WIFSIGNALED(status))
        printf("%s: killed by signal %s\n", who, sigabbrev_np(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
        printf("%s: ended with status %d\n", who, WEXITSTATUS(status));
    else
        return 0;
    return 1;
}

/* Waits for both; when time is up, kills both with everything they started. */
static bool wait_for(pid_t pids[2], int status[2], int seconds)
{
    struct timespec tick = { 0, 50000000 };
    struct timespec now, end;
    bool in_time = true;
    sigset_t child;
    int left = 2;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += seconds;
    while (left > 0) {
        for (int i = 0; i < 2; i++) {
            if (pids[i] && waitpid(pids[i], &status[i], WNOHANG) == pids[i]) {
                kill(-pids[i], SIGKILL);
                pids[i] = 0;
                left--;
            }
        }
        if (left > 0)
            sigtimedwait(&child, NULL, &tick);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (left > 0 && in_time && now.tv_sec >= end.tv_sec) {
            in_time = false;
            for (int i = 0; i < 2; i++)
                if (pids[i])
                    kill(-pids[i], SIGKILL);
        }
    }
    return in_time;
}

static int drive(const struct options *o)
{
    int control[2], status[2] = { 0, 0 }, output[2], bad;
    FILE *files[2] = { tmpfile(), tmpfile() };
    pid_t pids[2];
    sigset_t child;
    bool in_time;
    if (!files[0] || !files[1] || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control)) {
        perror("trace");
        return 2;
    }
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        output[i] = fileno(files[i]);
        pids[i] = start(o, i == 0, control[i], output[i]);
    }
    close(control[0]);
    close(control[1]);
    in_time = wait_for(pids, status, o->patience);
    print_lines("client", output[0]);
    print_lines("server", output[1]);
    if (!in_time)
        printf("no end after %d s\n", o->patience);
    bad = verdict("client", status[0]) + verdict("server", status[1]);
    return bad || !in_time;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: trace --list | [--preload LIBS --client INI --server INI] [--patience SECONDS] NAME\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = { { "preload", 1, NULL, 'p' },  { "client", 1, NULL, 'c' },
                                           { "server", 1, NULL, 's' },   { "side", 1, NULL, 'S' },
                                           { "patience", 1, NULL, 't' }, { "list", 0, NULL, 'l' },
                                           { NULL, 0, NULL, 0 } };
    struct options o = { .patience = PATIENCE };
    const struct script *script;
    int c;
    if (argc > 1 && strcmp(argv[1], "--continue") == 0)
        return run_program(argv + 2);
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'p')
            o.preload = optarg;
        else if (c == 'c')
            o.client_config = optarg;
        else if (c == 's')
            o.server_config = optarg;
        else if (c == 'S')
            o.side = optarg;
        else if (c == 't')
            o.patience = (int)strtol(optarg, NULL, 10);
        else if (c == 'l')
            for (size_t i = 0; i < script_count; i++)
                puts(scripts[i].name);
        else
            return usage();
        if (c == 'l')
            return 0;
    }
    if (optind + 1 != argc)
        return usage();
    o.name = argv[optind];
    script = find(o.name);
    if (!script) {
        fprintf(stderr, "trace: no script is named '%s'; --list names them\n", o.name);
        return 2;
    }
    return o.side ? run_side(script, strcmp(o.side, "client") == 0, CONTROL) : drive(&o);
}
