/* A line a step: the call, its result, the errno's name, the bytes. */
#include "trace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

volatile sig_atomic_t ticks, pipes;

struct bit {
    uint32_t bit;
    const char *name;
};

static const struct bit event_bits[] = {
    { EPOLLIN, "IN" },           { EPOLLOUT, "OUT" },
    { EPOLLPRI, "PRI" },         { EPOLLERR, "ERR" },
    { EPOLLHUP, "HUP" },         { EPOLLRDHUP, "RDHUP" },
    { POLLNVAL, "NVAL" },        { EPOLLET, "ET" },
    { EPOLLONESHOT, "ONESHOT" }, { EPOLLEXCLUSIVE, "EXCLUSIVE" },
    { EPOLLRDNORM, "RDNORM" },   { 0, NULL },
};
static const struct bit flag_bits[] = {
    { MSG_PEEK, "PEEK" }, { MSG_WAITALL, "WAITALL" },   { MSG_DONTWAIT, "DONTWAIT" }, { MSG_TRUNC, "TRUNC" },
    { MSG_MORE, "MORE" }, { MSG_NOSIGNAL, "NOSIGNAL" }, { MSG_EOR, "EOR" },           { 0, NULL },
};

/* Names joined by '|', "0" for none. */
static const char *names(const struct bit *bits, uint32_t value, char *text, size_t room)
{
    size_t n = 0;
    text[0] = 0;
    for (; bits->name; bits++)
        if (value & bits->bit)
            n += (size_t)snprintf(text + n, room - n, "%s%s", n ? "|" : "", bits->name);
    if (n == 0)
        snprintf(text, room, "0");
    return text;
}

void say(const char *format, ...)
{
    int saved = errno;
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
    errno = saved;
}

long said(const char *call, long result)
{
    if (result == -1)
        say("%s = -1 %s", call, strerrorname_np(errno) ? strerrorname_np(errno) : "?");
    else
        say("%s = %ld", call, result);
    return result;
}

uint32_t checksum(const void *data, size_t n)
{
    const unsigned char *p = data;
    uint32_t sum = 2166136261u;
    for (size_t i = 0; i < n; i++)
        sum = (sum ^ p[i]) * 16777619u;
    return sum;
}

void say_bytes(const char *call, ssize_t result, const void *data)
{
    const char *text = data;
    bool printable = result <= 40;
    for (ssize_t i = 0; printable && i < result; i++)
        printable = text[i] >= ' ' && text[i] <= '~';
    if (result <= 0)
        said(call, result);
    else if (printable)
        say("%s = %zd \"%.*s\"", call, result, (int)result, text);
    else
        say("%s = %zd #%08x", call, result, checksum(data, (size_t)result));
}

ssize_t say_send(int fd, const char *text, int flags)
{
    char call[96], bits[64];
    size_t n = strlen(text);
    ssize_t result = send(fd, text, n, flags);
    snprintf(call, sizeof call, "send(%zu, %s)", n, names(flag_bits, (uint32_t)flags, bits, sizeof bits));
    return said(call, result);
}

ssize_t say_recv(int fd, size_t n, int flags)
{
    char call[96], bits[64];
    char *data = calloc(1, n + 1);
    ssize_t result = recv(fd, data, n, flags);
    int saved = errno;
    snprintf(call, sizeof call, "recv(%zu, %s)", n, names(flag_bits, (uint32_t)flags, bits, sizeof bits));
    errno = saved;
    if (result > (ssize_t)n || ((flags & MSG_TRUNC) && result > 0))
        said(call, result);
    else
        say_bytes(call, result, data);
    free(data);
    errno = saved;
    return result;
}

ssize_t say_read(int fd, size_t n)
{
    char call[32];
    char *data = calloc(1, n + 1);
    ssize_t result = read(fd, data, n);
    int saved = errno;
    snprintf(call, sizeof call, "read(%zu)", n);
    errno = saved;
    say_bytes(call, result, data);
    free(data);
    errno = saved;
    return result;
}

ssize_t say_write(int fd, const char *text)
{
    char call[32];
    ssize_t result = write(fd, text, strlen(text));
    snprintf(call, sizeof call, "write(%zu)", strlen(text));
    return said(call, result);
}

/* Ephemeral port numbers differ from run to run; whether it is the listener's does not. */
void say_address(const char *call, int result, const struct sockaddr_in *address, const struct side *side)
{
    char host[INET_ADDRSTRLEN] = "";
    if (result < 0) {
        said(call, result);
        return;
    }
    inet_ntop(AF_INET, &address->sin_addr, host, sizeof host);
    say("%s = %d %s %s %s", call, result, address->sin_family == AF_INET ? "INET" : "another family", host,
        address->sin_port == 0                        ? "no port"
        : address->sin_port == side->address.sin_port ? "the listener's port"
                                                      : "some port");
}

short say_poll(int fd, short events, int timeout)
{
    struct pollfd p = { fd, events, 0 };
    char asked[96], got[96];
    int n = poll(&p, 1, timeout);
    names(event_bits, (uint32_t)(unsigned short)events, asked, sizeof asked);
    names(event_bits, (uint32_t)(unsigned short)p.revents, got, sizeof got);
    if (n < 0)
        said("poll", n);
    else
        say("poll(%s) = %d %s", asked, n, got);
    return p.revents;
}

void say_events(const char *call, int n, const struct epoll_event *events)
{
    char text[512], bits[96];
    size_t used = 0;
    if (n < 0) {
        said(call, n);
        return;
    }
    text[0] = 0;
    for (uint64_t key = 0; key < 16;
         key++) /* in the order of their data: the kernel's order is not promised */
        for (int i = 0; i < n; i++)
            if (events[i].data.u64 == key)
                used +=
                    (size_t)snprintf(text + used, sizeof text - used, " [%llu %s]", (unsigned long long)key,
                                     names(event_bits, events[i].events, bits, sizeof bits));
    say("%s = %d%s", call, n, text);
}

int say_epoll(int ep, int timeout)
{
    struct epoll_event events[8];
    int n = epoll_wait(ep, events, 8, timeout);
    say_events("epoll_wait", n, events);
    return n;
}

int say_epoll_ctl(int ep, int op, int fd, uint32_t events, uint64_t data)
{
    static const char *const ops[] = { "?", "ADD", "DEL", "MOD" };
    struct epoll_event event = { .events = events, .data.u64 = data };
    char call[160], bits[96];
    int result = epoll_ctl(ep, op, fd, &event);
    snprintf(call, sizeof call, "epoll_ctl(%s, %s)", ops[op & 3],
             names(event_bits, events, bits, sizeof bits));
    return (int)said(call, result);
}

void say_so_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length))
        said("getsockopt(SO_ERROR)", -1);
    else
        say("SO_ERROR %s", error ? strerrorname_np(error) : "0");
}

void say_option(int fd, int level, int name, const char *label)
{
    int value = 0;
    socklen_t length = sizeof value;
    if (getsockopt(fd, level, name, &value, &length))
        said(label, -1);
    else
        say("%s %d (%u bytes)", label, value, length);
}

void say_close(int fd)
{
    said("close", close(fd));
}

void say_signals(void)
{
    say("SIGPIPE %d", (int)pipes);
    pipes = 0;
}

int say_connect(int fd, const struct sockaddr_in *address)
{
    return (int)said("connect", connect(fd, (const struct sockaddr *)address, sizeof *address));
}

void say_names(int fd, const struct side *s)
{
    struct sockaddr_in address = { 0 };
    socklen_t length = sizeof address;
    say_address("getpeername", getpeername(fd, (struct sockaddr *)&address, &length), &address, s);
    length = sizeof address;
    say_address("getsockname", getsockname(fd, (struct sockaddr *)&address, &length), &address, s);
}

/* Reads until the peer ends; one line with everything. */
void say_all(int fd)
{
    size_t room = 1 << 20, have = 0;
    char *data = malloc(room);
    ssize_t got;
    while ((got = recv(fd, data + have, room - have, 0)) > 0 ||
           (got < 0 && errno == EAGAIN && await(fd, POLLIN)))
        have += got > 0 ? (size_t)got : 0;
    say_bytes("everything", (ssize_t)have, data);
    said("then", got);
    free(data);
}

int set_of(int fd, uint32_t events, uint64_t data)
{
    int ep = epoll_create1(EPOLL_CLOEXEC);
    say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, events, data);
    return ep;
}
