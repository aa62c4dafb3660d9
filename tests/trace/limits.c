/* Processes with little room: few or many descriptors, little memory, small files, no threads. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

void set_limit(int what, rlim_t soft)
{
    struct rlimit limit;
    if (getrlimit(what, &limit))
        fail("getrlimit");
    limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
    if (setrlimit(what, &limit))
        fail("setrlimit");
}

/* ---- descriptors ---- */

static int open_until_full(int fds[], int room)
{
    int n = 0;
    while (n < room && (fds[n] = dup(0)) >= 0)
        n++;
    return n;
}

/* As many as the program may have, from before its first connection on: each number is the program's. */
static void few_descriptors(struct side *s, rlim_t soft)
{
    int fds[300], n;
    set_limit(RLIMIT_NOFILE, soft);
    another(s);
    another(s);
    n = open_until_full(fds, 300);
    say("%d more", n);
    said("socket", socket(AF_INET, SOCK_STREAM, 0));
    if (!s->client)
        said("accept", (nonblocking(s->listener, true), accept(s->listener, NULL, NULL)));
    nonblocking(s->client ? 0 : s->listener, false);
    meet(s);
    close(fds[n - 1]);
    another(s);
    say("the highest again %d", dup(0) == fds[n - 1]);
    for (int i = 0; i < n; i++)
        close(fds[i]);
    another(s);
}

void script_nofile_16(struct side *s)
{
    few_descriptors(s, 16);
}

void script_nofile_256(struct side *s)
{
    few_descriptors(s, 256);
}

/*
 * A server that has run out of them accepts by one that it has put aside, and closes: its client, the same thread, sees a connection and
 * its end.
 */
void script_nofile_accept_close(struct side *s)
{
    struct rlimit limit = { 64, 64 };
    struct sockaddr_in own;
    int fds[64], listener = listen_on(&own, 4), fd = tcp_socket(SOCK_NONBLOCK), end;
    if (!s->client)
        return;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        fail("setrlimit");
    open_until_full(fds, 64);
    say_connect(fd, &own);
    await(listener, POLLIN);
    said("accept", accept(listener, NULL, NULL));
    close(fds[0]);
    end = accept(listener, NULL, NULL);
    say_close(end);
    await(fd, POLLOUT);
    say_so_error(fd);
    await(fd, POLLIN);
    say_recv(fd, 10, 0);
}

/* No number is left for the one that is accepted. */
void script_nofile_accept(struct side *s)
{
    int fds[64], n;
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        meet(s);
        exchange(s, fd);
    } else {
        int fd;
        set_limit(RLIMIT_NOFILE, 20);
        n = open_until_full(fds, 64);
        await(s->listener, POLLIN);
        said("accept", accept(s->listener, NULL, NULL));
        close(fds[n - 1]);
        fd = accepted(s);
        meet(s);
        exchange(s, fd);
    }
    meet(s);
}

/* As many entries as the limit allows in one poll, one of them still connecting. */
void script_nofile_poll(struct side *s)
{
    enum { MOST = 16 };
    if (s->client) {
        struct pollfd p[MOST + 1];
        int fd = tcp_socket(SOCK_NONBLOCK);
        set_limit(RLIMIT_NOFILE, MOST);
        for (int i = 0; i <= MOST; i++)
            p[i] = (struct pollfd){ -1, 0, 0 };
        p[MOST - 1] = (struct pollfd){ fd, POLLOUT, 0 };
        say_connect(fd, &s->address);
        said("poll, one too many", poll(p, MOST + 1, SOON));
        said("poll", poll(p, MOST, SOON));
        say("OUT %d", p[MOST - 1].revents == POLLOUT);
        ask_one(s, fd);
    } else {
        serve_one(s);
    }
}

/* 100,000 descriptors, and connections above them. */
void script_many_descriptors(struct side *s)
{
    enum { MANY = 100000 };
    struct rlimit limit;
    struct pollfd *all;
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = 7 };
    int fd, high, ep;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = MANY + 100;
    if (limit.rlim_max < limit.rlim_cur)
        limit.rlim_max = limit.rlim_cur;
    if (setrlimit(RLIMIT_NOFILE, &limit)) {
        say("SKIPPED: no %d descriptors for this user", MANY);
        return;
    }
    all = calloc(MANY + 1, sizeof *all);
    for (int i = 0; i < MANY; i++)
        all[i] = (struct pollfd){ dup(0), POLLPRI, 0 };
    say("the last is open: %d", all[MANY - 1].fd >= MANY - 1);
    fd = connected(s);
    high = fcntl(fd, F_DUPFD_CLOEXEC, MANY + 50);
    say("above them: %d %d", fd > MANY, high == MANY + 50);
    close(fd);
    ep = epoll_create1(EPOLL_CLOEXEC);
    said("epoll_ctl", epoll_ctl(ep, EPOLL_CTL_ADD, high, &event));
    all[MANY] = (struct pollfd){ high, POLLIN, 0 };
    said("poll", poll(all, MANY + 1, NOTHING));
    meet(s);
    exchange(s, high);
    meet(s);
    another(s);
    if (s->client) {
        /* One more that is connecting, among all of them. */
        int slow = tcp_socket(SOCK_NONBLOCK);
        say_connect(slow, &s->address);
        all[MANY] = (struct pollfd){ slow, POLLOUT, 0 };
        said("poll", poll(all, MANY + 1, SOON));
        ask_one(s, slow);
    } else {
        serve_one(s);
    }
    closefrom(64);
    said("closed", fcntl(high, F_GETFD));
    another(s);
    free(all);
}

/* ---- memory, files, cores ---- */

static long mapped_kib(void)
{
    char line[200];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmSize:", 7) == 0)
            kib = strtol(line + 7, NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

/* 64 MiB more than it has. */
void script_limited_memory(struct side *s)
{
    set_limit(RLIMIT_AS, ((rlim_t)mapped_kib() + 65536) * 1024);
    another(s);
    another(s);
}

/* Nothing more at all, once the connections are made: the old ones go on, new ones may fail, and nobody dies of it. */
void script_no_more_memory(struct side *s)
{
    int fd = connected(s), fresh;
    struct rlimit limit;
    exchange(s, fd);
    meet(s);
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = (rlim_t)mapped_kib() * 1024;
    setrlimit(RLIMIT_AS, &limit);
    exchange(s, fd);
    meet(s);
    fresh = socket(AF_INET, SOCK_STREAM, 0);
    if (s->client) {
        (void)!connect(fresh, (struct sockaddr *)&s->address, sizeof s->address);
        close(fresh);
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_AS, &limit);
    meet(s);
    exchange(s, fd);
    meet(s);
    disperse(s);
    another(s);
}

/* Not a byte into a file: whatever is written on the way must not end the program. */
void script_no_files(struct side *s)
{
    char back[8] = { 0 };
    int fd, result = 0;
    set_limit(RLIMIT_FSIZE, 0);
    if (s->client) {
        fd = tcp_socket(0);
        result = connect(fd, (struct sockaddr *)&s->address, sizeof s->address);
        if (send(fd, "question", 8, 0) != 8 || recv(fd, back, 6, MSG_WAITALL) != 6)
            result = -2;
    } else {
        fd = accepted(s);
        if (recv(fd, back, 8, MSG_WAITALL) != 8 || send(fd, "answer", 6, 0) != 6)
            result = -2;
    }
    set_limit(RLIMIT_FSIZE, RLIM_INFINITY);
    say("without files %d", result);
    meet(s);
    close(fd);
    another(s);
}

void script_no_cores(struct side *s)
{
    set_limit(RLIMIT_CORE, 0);
    another(s);
}

/* No thread can be made: the library's own neither. */
void script_no_threads(struct side *s)
{
    struct rlimit limit = { 0, 0 };
    if (geteuid() == 0 && (setgroups(0, NULL) || setgid(65533) || setuid(65533)))
        fail("setuid");
    if (setrlimit(RLIMIT_NPROC, &limit))
        fail("setrlimit");
    another(s);
    another(s);
}
