/* Making connections: blocking and not, accepted early, late, refused. */
#include "trace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

void script_connect_blocking(struct side *s)
{
    struct sockaddr_in address = { 0 };
    socklen_t length = sizeof address;
    if (s->client) {
        int fd = tcp_socket(0);
        say_names(fd, s);
        say_connect(fd, &s->address);
        say_names(fd, s);
        say_so_error(fd);
        say_connect(fd, &s->address);
        ask_one(s, fd);
        say_names(fd, s);
    } else {
        int fd = accept(s->listener, (struct sockaddr *)&address, &length);
        say_address("accept", fd < 0 ? -1 : 0, &address, s);
        say("length %u", length);
        say_names(fd, s);
        say_recv(fd, 100, 0);
        say_send(fd, "answer", 0);
        meet(s);
        say_names(fd, s);
    }
}

/* Nobody accepts until the client knows that it is connected. */
void script_connect_before_accept(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        say_names(fd, s);
        meet(s);
        ask_one(s, fd);
    } else {
        meet(s);
        serve_one(s);
    }
}

void script_connect_nonblocking_before_accept(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        say_connect(fd, &s->address);
        say_poll(fd, POLLOUT, SOON);
        say_so_error(fd);
        say_recv(fd, 10, 0);
        meet(s);
        ask_one(s, fd);
    } else {
        meet(s);
        serve_one(s);
    }
}

/* However often it asks (curl does twice), and whatever it does in between: writable is writable. */
void script_connect_polled_again_before_accept(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        say_connect(fd, &s->address);
        say_poll(fd, POLLOUT, SOON);
        say_poll(fd, POLLOUT, 0);
        say_poll(fd, POLLIN | POLLOUT, SOON);
        say_poll(fd, POLLIN, NOTHING);
        say_recv(fd, 10, 0);
        say_poll(fd, POLLIN | POLLOUT, SOON);
        meet(s);
        ask_one(s, fd);
    } else {
        meet(s);
        serve_one(s);
    }
}

void script_connect_epoll_before_accept(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK), ep = epoll_create1(0);
        say_connect(fd, &s->address);
        say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLET, 1);
        say_epoll(ep, SOON);
        say_so_error(fd);
        meet(s);
        ask_one(s, fd);
    } else {
        meet(s);
        serve_one(s);
    }
}

/* Only reading is asked for: nothing before the server's words, however late it accepts. */
void script_connect_epoll_in_only_before_accept(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK), ep = epoll_create1(0), later = epoll_create1(0);
        say_connect(fd, &s->address);
        say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 1);
        say_epoll(ep, 4 * NOTHING); /* longer than the grace */
        say_epoll_ctl(later, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP, 2);
        meet(s);
        say_epoll(ep, SOON);
        say_epoll(later, SOON);
        say_recv(fd, 100, 0);
        ask_one(s, fd);
    } else {
        int fd;
        meet(s);
        fd = accepted(s);
        say_send(fd, "welcome", 0);
        say_recv(fd, 100, 0);
        say_send(fd, "answer", 0);
        meet(s);
    }
}

void script_server_speaks_first(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        say_recv(fd, 100, 0);
        say_send(fd, "thanks", 0);
    } else {
        int fd = accepted(s);
        say_send(fd, "220 ready", 0);
        say_recv(fd, 100, 0);
    }
}

void script_both_speak_at_once(struct side *s)
{
    int fd;
    if (s->client) {
        fd = tcp_socket(0);
        say_connect(fd, &s->address);
    } else {
        fd = accepted(s);
    }
    say_send(fd, s->client ? "from client" : "from server", 0);
    say_recv(fd, 100, 0);
}

/* Connect, write, close: the server still gets everything and a clean end. */
void script_connect_write_close(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        say_send(fd, "all there is", 0);
        say_close(fd);
    } else {
        int fd = accepted(s);
        say_recv(fd, 12, MSG_WAITALL);
        say_recv(fd, 12, 0);
        say_recv(fd, 12, 0);
    }
}

/* connect(AF_UNSPEC) takes a connection down; the socket lives on. */
void script_connect_unspec(struct side *s)
{
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    int fd = connected(s);
    if (s->client) {
        said("connect(AF_UNSPEC)", connect(fd, &none, sizeof none));
        say_names(fd, s);
        meet(s);
        meet(s);
        say_connect(fd, &s->address);
        ask_one(s, fd);
    } else {
        meet(s);
        await(fd, POLLHUP);
        say_recv(fd, 10, 0);
        say_recv(fd, 10, 0);
        meet(s);
        serve_one(s);
    }
}

/* One thread holds both ends. */
void script_connect_to_own_listener(struct side *s)
{
    int listener, fd, end;
    if (!s->client)
        return;
    fd = connect_to_self(&listener);
    end = accept(listener, NULL, NULL);
    say("accept %s", end >= 0 ? "a descriptor" : strerrorname_np(errno));
    say_send(fd, "to myself", 0);
    say_recv(end, 100, 0);
    say_send(end, "and back", 0);
    say_recv(fd, 100, 0);
}

/* What the connecting end says before its own thread accepts is there afterwards. */
void script_connect_to_own_listener_send_before_accept(struct side *s)
{
    int listener, fd, end;
    if (!s->client)
        return;
    fd = connect_to_self(&listener);
    say_send(fd, "early ", 0);
    say_send(fd, "words", 0);
    end = accept(listener, NULL, NULL);
    say_recv(end, 11, MSG_WAITALL);
    say_send(end, "heard", 0);
    say_recv(fd, 100, 0);
}

/* The same, non-blocking, in one event loop. */
void script_connect_to_own_listener_epoll(struct side *s)
{
    struct sockaddr_in own;
    if (!s->client)
        return;
    int listener = listen_on(&own, 4), fd = tcp_socket(SOCK_NONBLOCK), ep = epoll_create1(0), end;
    say_epoll_ctl(ep, EPOLL_CTL_ADD, listener, EPOLLIN, 1);
    say_connect(fd, &own);
    await(listener, POLLIN);
    say_epoll(ep, SOON);
    end = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    say_epoll_ctl(ep, EPOLL_CTL_ADD, end, EPOLLIN, 2);
    say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLOUT, 3);
    say_epoll(ep, SOON);
    say_so_error(fd);
    say_send(fd, "round", 0);
    await(end, POLLIN);
    say_recv(end, 100, 0);
}

/* Nobody waits for the connecting end; that it is connected, its name tells. */
static void named(struct side *s, bool listens_on)
{
    struct sockaddr_in own;
    struct side self = { .client = true };
    if (!s->client)
        return;
    int listener = listen_on(&own, 4), fd = tcp_socket(SOCK_NONBLOCK), end;
    say_connect(fd, &own);
    await(listener, POLLIN);
    end = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (!listens_on)
        close(listener);
    self.address = own;
    say_names(fd, &self);
    say_send(fd, "named", 0);
    await(end, POLLIN);
    say_recv(end, 100, 0);
}

void script_connect_to_own_listener_named(struct side *s)
{
    named(s, true);
}

void script_connect_to_own_listener_gone(struct side *s)
{
    named(s, false);
}

/* Connected, and then the listener is closed without having accepted: a reset, which poll tells as an error. */
void script_connect_to_own_listener_closed(struct side *s)
{
    struct sockaddr_in own;
    int listener = listen_on(&own, 4), fd = tcp_socket(SOCK_NONBLOCK);
    if (!s->client)
        return;
    say_connect(fd, &own);
    await(fd, POLLOUT);
    close(listener);
    say_poll(fd, 0, SOON);
    said("read", read(fd, &own, 1));
}

/* Both ends in one set, told by edges: they are writable together. */
void script_connect_to_own_listener_edges(struct side *s)
{
    struct sockaddr_in own;
    int listener = listen_on(&own, 4), fd = tcp_socket(SOCK_NONBLOCK), end, ep;
    if (!s->client)
        return;
    say_connect(fd, &own);
    end = accept(listener, NULL, NULL);
    ep = set_of(fd, EPOLLIN | EPOLLOUT | EPOLLET, 1);
    say_epoll_ctl(ep, EPOLL_CTL_ADD, end, EPOLLIN | EPOLLOUT | EPOLLET, 2);
    say_epoll(ep, SOON);
    say_epoll(ep, NOTHING);
    say_send(fd, "there", 0);
    say_send(end, "and back", 0);
    say_epoll(ep, SOON);
    say_recv(fd, 100, 0);
    say_recv(end, 100, 0);
    say_epoll(ep, NOTHING);
}

/* An IPv6 socket that speaks IPv4. */
void script_connect_v4_mapped(struct side *s)
{
    if (s->client) {
        struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = s->address.sin_port };
        int fd = socket(AF_INET6, SOCK_STREAM, 0);
        bool there = fd >= 0;
        tell(s, &there, sizeof there);
        if (!there)
            return;
        inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr);
        said("connect", connect(fd, (struct sockaddr *)&mapped, sizeof mapped));
        ask_one(s, fd);
    } else {
        bool there;
        hear(s, &there, sizeof there);
        if (there)
            serve_one(s);
    }
}

/* 0.0.0.0 leads to the loopback, and so to the service that is known by that. */
void script_connect_anywhere(struct side *s)
{
    struct sockaddr_in anywhere = { .sin_family = AF_INET, .sin_port = s->address.sin_port };
    struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = s->address.sin_port };
    struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fds[] = { -1, -1, -1 };
    if (!s->client) {
        for (int i = 0; i < 3; i++)
            serve_one(s);
        return;
    }
    inet_pton(AF_INET6, "::ffff:0.0.0.0", &mapped.sin6_addr);
    fds[0] = tcp_socket(0);
    fds[1] = tcp_socket(0);
    said("bind", bind(fds[1], (struct sockaddr *)&own, sizeof own));
    fds[2] = socket(AF_INET6, SOCK_STREAM, 0);
    for (int i = 0; i < 3; i++) {
        if (i < 2)
            say_connect(fds[i], &anywhere);
        else if (fds[i] >= 0)
            said("connect", connect(fds[i], (struct sockaddr *)&mapped, sizeof mapped));
        else
            say_connect(fds[i] = tcp_socket(0), &s->address); /* no IPv6: another one in its place */
        if (i < 2)
            say_names(fds[i], s);
        ask_one(s, fds[i]);
    }
}

static int own_listener_six(struct sockaddr_in6 *address)
{
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    socklen_t length = sizeof *address;
    *address = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
    if (fd >= 0 && bind(fd, (struct sockaddr *)address, sizeof *address) == 0 && listen(fd, 1) == 0 &&
        getsockname(fd, (struct sockaddr *)address, &length) == 0)
        return fd;
    address->sin6_port = 0;
    return -1;
}

/* :: likewise. */
void script_connect_anywhere_six(struct side *s)
{
    struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
    int fd = s->client ? -1 : own_listener_six(&address);
    if (!s->client) {
        tell(s, &address.sin6_port, sizeof address.sin6_port);
        s->listener = fd;
        if (fd >= 0)
            serve_one(s);
        return;
    }
    hear(s, &address.sin6_port, sizeof address.sin6_port);
    if (address.sin6_port == 0)
        return;
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    said("connect", connect(fd, (struct sockaddr *)&address, sizeof address));
    ask_one(s, fd);
}

/* Several connections at once from one process, completed out of order. */
void script_connect_many(struct side *s)
{
    enum { MANY = 24 };
    int fds[MANY];
    char name;
    for (int i = 0; i < MANY; i++) {
        if (s->client) {
            fds[i] = tcp_socket(SOCK_NONBLOCK);
            if (connect(fds[i], (struct sockaddr *)&s->address, sizeof s->address) && errno != EINPROGRESS)
                fail("connect %d", i);
            await(fds[i], POLLOUT);
        } else {
            fds[i] = accepted(s);
        }
    }
    for (int i = 0; i < MANY; i++) {
        if (s->client) {
            name = (char)('a' + i);
            nonblocking(fds[MANY - 1 - i], false);
            if (send(fds[MANY - 1 - i], &name, 1, 0) != 1)
                fail("send %d", i);
        } else if (recv(fds[MANY - 1 - i], &name, 1, 0) != 1 || name != 'a' + i) {
            fail("connection %d said %c", i, name);
        }
    }
    say("%d connections", MANY);
}
