/* One run: the two processes, from their start to their ends. */
#include "drive.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_MS = 30000, LONG = 60 };

static bool is_long; /* this run: a storm, or many trials */

const char *const side_names[2] = { "client", "server" };

void die(const char *what)
{
    fprintf(stderr, "drive: %s: %s\n", what, strerror(errno));
    exit(2);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct process {
    pid_t pid;
    int watch, out; /* a pidfd; its standard output */
    bool ended;
};

static struct process start(int side, const char *argument, const struct fault *fault, const char *slot,
                            int input)
{
    char log[300], control[300], both[1024];
    struct process process = { 0 };
    const char *there = fault->side == SERVER ? "server" : NULL;
    int out[2];
    if (pipe2(out, O_CLOEXEC) != 0)
        die("pipe");
    snprintf(log, sizeof log, "%s/%s.%s.err", directory, slot, side_names[side]);
    snprintf(control, sizeof control, "%s/%s.control", directory, slot);
    snprintf(both, sizeof both, "%s:%s", preloads, injector);
    process.pid = fork();
    if (process.pid == 0) {
        dup2(input >= 0 ? input : open("/dev/null", O_RDONLY), 0);
        dup2(out[1], 1);
        dup2(open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
        closefrom(3);
        setenv("LD_PRELOAD", both, 1);
        scene_enter(fault->scene, side, slot);
        if (fault->side == side)
            setenv("FAULT_FILE", control, 1);
        else
            unsetenv("FAULT_FILE");
        if (side == CLIENT)
            setenv("FAULT_SWITCH", control, 1);
        if (is_long && side == CLIENT)
            execl(subject, subject, storm ? "storm" : "trials", argument, storm ? storm : there, there, NULL);
        execl(subject, subject, side_names[side], argument, scenes[fault->scene].client, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    process.out = out[0];
    process.watch = (int)syscall(SYS_pidfd_open, process.pid, 0);
    return process;
}

static int read_port(int out)
{
    char line[64];
    size_t n = 0;
    struct pollfd one = { out, POLLIN, 0 };
    while (n < sizeof line - 1 && poll(&one, 1, LIMIT_MS) == 1 && read(out, line + n, 1) == 1 &&
           line[n] != '\n')
        n++;
    line[n] = '\0';
    return strncmp(line, "port ", 5) == 0 ? atoi(line + 5) : 0;
}

static void take_report(int out, char *into, size_t room)
{
    char text[1024];
    ssize_t n = read(out, text, sizeof text - 1);
    char *at;
    into[0] = '\0';
    text[n > 0 ? n : 0] = '\0';
    at = strstr(text, "\ndescriptors:");
    at = at ? at + 1 : strncmp(text, "descriptors:", 12) == 0 ? text : NULL;
    if (storm)
        printf("%.*s", (int)(at ? at - text : n > 0 ? n : 0), text);
    if (at)
        snprintf(into, room, "%.*s", (int)strcspn(at, "\n"), at);
}

/* Until both have ended, or nobody waits any longer. */
static void attend(struct process *p, int listener, int port, int *input, struct outcome *outcome)
{
    int64_t end = now_ms() + (is_long ? LONG : 1) * LIMIT_MS;
    while (!p[CLIENT].ended || !p[SERVER].ended) {
        struct pollfd all[3 + WAYS];
        if (p[CLIENT].ended && *input >= 0) {
            close(*input);
            *input = -1;
        }
        all[0] = (struct pollfd){ p[CLIENT].ended ? -1 : p[CLIENT].watch, POLLIN, 0 };
        all[1] = (struct pollfd){ p[SERVER].ended ? -1 : p[SERVER].watch, POLLIN, 0 };
        all[2] = (struct pollfd){ listener, POLLIN, 0 };
        for (int i = 0; i < WAYS; i++)
            all[3 + i] = (struct pollfd){ relay_from(i), POLLIN, 0 };
        if (now_ms() > end)
            return;
        poll(all, 3 + WAYS, 1000);
        for (int i = 0; i < 2; i++)
            if (all[i].revents)
                p[i].ended = waitpid(p[i].pid, &outcome->status[i], 0) == p[i].pid;
        if (all[2].revents)
            relay_begin(listener, port);
        for (int i = 0; i < WAYS; i++)
            if (all[3 + i].revents && relay_from(i) == all[3 + i].fd && relay_pass(i))
                outcome->seen = true;
    }
}

struct fault_control *map_control(const char *slot, bool fresh)
{
    char path[300];
    void *at;
    int fd;
    snprintf(path, sizeof path, "%s/%s.control", directory, slot);
    fd = open(path, O_RDWR | O_CREAT | (fresh ? O_TRUNC : 0) | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(struct fault_control)) != 0)
        die(path);
    at = mmap(NULL, sizeof(struct fault_control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at == MAP_FAILED)
        die(path);
    return at;
}

void run(const struct fault *fault, int mode, const char *slot, struct outcome *outcome)
{
    struct fault_control *control = map_control(slot, !trials || mode == FAULT_COUNT);
    struct process p[2];
    int listener = loopback(0, true), input[2], port;
    char number[12];
    is_long = mode == FAULT_NONE;
    memset(outcome, 0, sizeof *outcome);
    outcome->status[CLIENT] = outcome->status[SERVER] = -1;
    relay_forget();
    control->owner = 0;
    control->alone = is_long && trials;
    control->call = fault->call;
    control->place = fault->place;
    control->error = fault->error;
    control->nth = fault->nth;
    atomic_store(&control->mode, mode);
    if (listener < 0 || pipe2(input, O_CLOEXEC) != 0)
        die("relay");
    scene_begin(fault->scene, slot, port_of(listener));
    p[SERVER] = start(SERVER, NULL, fault, slot, input[0]);
    close(input[0]);
    port = read_port(p[SERVER].out);
    snprintf(number, sizeof number, "%d", port_of(listener));
    p[CLIENT] = start(CLIENT, number, fault, slot, -1);
    attend(p, listener, port, &input[1], outcome);
    for (int i = 0; i < 2; i++) {
        if (!p[i].ended) {
            kill(p[i].pid, SIGKILL);
            waitpid(p[i].pid, NULL, 0);
        }
        take_report(p[i].out, outcome->descriptors[i], sizeof outcome->descriptors[i]);
    }
    outcome->hits = atomic_load(&control->hits);
    memcpy((void *)&outcome->hit, (void *)&control->hit, sizeof outcome->hit);
    munmap(control, sizeof *control);
}
