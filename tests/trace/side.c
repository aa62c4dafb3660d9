/* One of the two processes of a script. */
#include "trace.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

void fail(const char *format, ...)
{
    int error = errno;
    va_list args;
    fflush(stdout);
    printf("FAILED: ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf(" (%s)\n", strerrorname_np(error) ? strerrorname_np(error) : "no errno");
    fflush(stdout);
    _exit(1);
}

void tell(struct side *side, const void *data, size_t n)
{
    ssize_t done = write(side->control, data, n);
    if (done != (ssize_t)n)
        fail("the control channel took %zd of %zu bytes", done, n);
}

void hear(struct side *side, void *data, size_t n)
{
    size_t have = 0;
    while (have < n) {
        ssize_t got = read(side->control, (char *)data + have, n - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            fail("the other process is gone");
        have += (size_t)got;
    }
}

void meet(struct side *side)
{
    char token = '.';
    tell(side, &token, 1);
    hear(side, &token, 1);
}

int tcp_socket(int flags)
{
    int fd = socket(AF_INET, SOCK_STREAM | flags, 0);
    if (fd < 0)
        fail("socket");
    return fd;
}

int bound_port(struct sockaddr_in *address)
{
    int fd = tcp_socket(0);
    socklen_t length = sizeof *address;
    *address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (bind(fd, (struct sockaddr *)address, sizeof *address) ||
        getsockname(fd, (struct sockaddr *)address, &length))
        fail("bind");
    return fd;
}

int listen_on(struct sockaddr_in *address, int backlog)
{
    int fd = bound_port(address);
    if (listen(fd, backlog))
        fail("listen");
    return fd;
}

int accepted(struct side *side)
{
    int fd = accept(side->listener, NULL, NULL);
    if (fd < 0)
        fail("accept");
    return fd;
}

static int connected_client(struct side *side)
{
    char byte = 'c';
    int fd = tcp_socket(0);
    if (connect(fd, (struct sockaddr *)&side->address, sizeof side->address))
        fail("connect");
    if (send(fd, &byte, 1, 0) != 1 || recv(fd, &byte, 1, 0) != 1 || byte != 's')
        fail("the first bytes of the client");
    return fd;
}

static int connected_server(struct side *side)
{
    char byte;
    int fd = accepted(side);
    if (recv(fd, &byte, 1, 0) != 1 || byte != 'c')
        fail("the first byte to the server");
    byte = 's';
    if (send(fd, &byte, 1, 0) != 1)
        fail("the first byte of the server");
    return fd;
}

int connected(struct side *side)
{
    int fd = side->client ? connected_client(side) : connected_server(side);
    meet(side);
    return fd;
}

int connected_nonblocking(struct side *side)
{
    int fd = connected(side);
    nonblocking(fd, true);
    return fd;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void settle(int fd)
{
    int left = 1;
    int64_t deadline = now_ms() + SOON;
    while (ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0) {
        if (now_ms() > deadline)
            fail("%d bytes were not acknowledged", left);
        poll(NULL, 0, 1);
    }
}

short await(int fd, short events)
{
    struct pollfd p = { fd, events, 0 };
    int64_t deadline = now_ms() + SOON;
    do {
        if (poll(&p, 1, 100) < 0 && errno != EINTR)
            fail("poll");
        if (now_ms() > deadline)
            fail("waited in vain for events 0x%x", (unsigned)events);
    } while (!(p.revents & (events | POLLERR | POLLHUP)));
    return p.revents;
}

void nonblocking(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    if (fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK))
        fail("fcntl");
}

void small_buffers(int fd)
{
    int size = 32 * 1024;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size))
        fail("setsockopt");
}

static void count_pipe(int number)
{
    (void)number;
    pipes++;
}

int run_side(const struct script *script, bool client, int control)
{
    struct side side = { .client = client, .control = control, .listener = -1 };
    struct sigaction action = { .sa_handler = count_pipe, .sa_flags = SA_RESTART };
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigaction(SIGPIPE, &action, NULL);
    if (client) {
        hear(&side, &side.address, sizeof side.address);
    } else {
        side.listener = listen_on(&side.address, 16);
        tell(&side, &side.address, sizeof side.address);
    }
    script->run(&side);
    meet(&side);
    say("end");
    return 0;
}

void finish(pid_t child)
{
    int status = -1;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        say("the child was killed by %s", sigabbrev_np(WTERMSIG(status)));
    else
        say("the child ended with %d", WEXITSTATUS(status));
}

int connect_to_self(int *listener)
{
    struct sockaddr_in own;
    int fd = tcp_socket(0);
    *listener = listen_on(&own, 4);
    say_connect(fd, &own);
    return fd;
}

/* Sends when the peer is ready for it, and says when it has arrived. */
void deliver(struct side *s, int fd, const char *text)
{
    meet(s);
    if (send(fd, text, strlen(text), 0) != (ssize_t)strlen(text))
        fail("send");
    settle(fd);
    meet(s);
}

void delivered(struct side *s, int fd)
{
    let_peer_send(s);
    await(fd, POLLIN);
}

void let_peer_send(struct side *s)
{
    meet(s);
    meet(s);
}

/* The server's part where the client's connect is the point: accept, then one message each way. */
void serve_one(struct side *s)
{
    int fd = accepted(s);
    say_recv(fd, 100, 0);
    say_send(fd, "answer", 0);
    meet(s);
}

static void ask(int fd)
{
    nonblocking(fd, false);
    say_send(fd, "question", 0);
    say_recv(fd, 100, 0);
}

void ask_one(struct side *s, int fd)
{
    ask(fd);
    meet(s);
}

void ask_when_made(int fd)
{
    await(fd, POLLOUT);
    say_so_error(fd);
    ask(fd);
}

/* Twice in a row, for it may also sleep on its way there. */
void asleep(int thread)
{
    char path[64], text[512];
    int64_t deadline = now_ms() + SOON;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    for (int times = 0; times < 3; poll(NULL, 0, 1)) {
        FILE *f = fopen(path, "r");
        size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
        const char *state;
        text[n] = 0;
        if (f)
            fclose(f);
        state = strrchr(text, ')');
        times = state && state[1] == ' ' && state[2] == 'S' ? times + 1 : 0;
        if (now_ms() > deadline)
            fail("thread %d does not wait", thread);
    }
}

void exchange(struct side *s, int fd)
{
    say_send(fd, s->client ? "question" : "answer", 0);
    say_recv(fd, s->client ? 6 : 8, MSG_WAITALL);
}

void another(struct side *s)
{
    int fd;
    if (s->client) {
        fd = tcp_socket(0);
        say_connect(fd, &s->address);
    } else {
        fd = accept(s->listener, NULL, NULL);
        say("accept %s", fd >= 0 ? "a descriptor" : strerrorname_np(errno));
    }
    exchange(s, fd);
    meet(s);
    close(fd);
}

int open_descriptors(int first)
{
    DIR *list = opendir("/proc/self/fd");
    struct dirent *entry;
    int n = 0;
    while (list && (entry = readdir(list)) != NULL)
        n += entry->d_name[0] != '.' && strtol(entry->d_name, NULL, 10) >= first;
    closedir(list);
    return n;
}

int crowd(struct side *s)
{
    int fd = -1;
    if (s->client) {
        meet(s);
        fd = tcp_socket(SOCK_NONBLOCK);
        if (connect(fd, (struct sockaddr *)&s->address, sizeof s->address) && errno != EINPROGRESS)
            fail("connect");
        meet(s);
    } else {
        listen(s->listener, 0);
        meet(s);
        await(s->listener, POLLIN);
        meet(s);
    }
    return fd;
}

void disperse(struct side *s)
{
    meet(s);
    if (!s->client) {
        int fd;
        listen(s->listener, 16);
        nonblocking(s->listener, true);
        while ((fd = accept(s->listener, NULL, NULL)) >= 0)
            close(fd);
        nonblocking(s->listener, false);
    }
    meet(s);
}

/*
 * The kernel tries again by itself, at a time that the load decides: one that gets in between is not to be taken for the filler. Nor may the
 * filler, which the library would connect once more when it is refused, come in its place.
 */
void make_room(struct side *s, int filler)
{
    close(filler);
    meet(s);
    if (!s->client) {
        close(accepted(s));
        listen(s->listener, 16);
    }
    meet(s);
}

void serve_until_told(struct side *s)
{
    struct pollfd p[2] = { { s->control, POLLIN, 0 }, { s->listener, POLLIN, 0 } };
    char byte;
    while (poll(p, 2, -1) > 0 && !(p[0].revents & POLLIN)) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd >= 0 && recv(fd, &byte, 1, 0) == 1)
            send(fd, &byte, 1, MSG_NOSIGNAL);
        close(fd);
    }
    hear(s, &byte, 1);
}
