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

static int say_connect(int fd, const struct sockaddr_in *address)
{
    return (int)said("connect", connect(fd, (const struct sockaddr *)address, sizeof *address));
}

static void say_names(int fd, const struct side *s)
{
    struct sockaddr_in address = { 0 };
    socklen_t length = sizeof address;
    say_address("getpeername", getpeername(fd, (struct sockaddr *)&address, &length), &address, s);
    length = sizeof address;
    say_address("getsockname", getsockname(fd, (struct sockaddr *)&address, &length), &address, s);
}

/* The server's part where the client's connect is the point: accept, then one message each way. */
static void serve_one(struct side *s)
{
    int fd = accepted(s);
    say_recv(fd, 100, 0);
    say_send(fd, "answer", 0);
    meet(s);
}

static void ask_one(struct side *s, int fd)
{
    nonblocking(fd, false);
    say_send(fd, "question", 0);
    say_recv(fd, 100, 0);
    meet(s);
}

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

void script_connect_nonblocking(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        say_connect(fd, &s->address);
        say_poll(fd, POLLOUT, SOON);
        say_so_error(fd);
        say_connect(fd, &s->address);
        say_connect(fd, &s->address);
        say_names(fd, s);
        say_recv(fd, 10, 0);
        ask_one(s, fd);
    } else {
        serve_one(s);
    }
}

/* connect again rather than ask for SO_ERROR. */
void script_connect_again_until_done(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        say_connect(fd, &s->address);
        await(fd, POLLOUT);
        say_connect(fd, &s->address);
        say_connect(fd, &s->address);
        ask_one(s, fd);
    } else {
        serve_one(s);
    }
}

void script_connect_ppoll(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        struct pollfd p = { fd, POLLIN | POLLOUT, 0 };
        struct timespec limit = { 8, 0 };
        say_connect(fd, &s->address);
        said("ppoll", ppoll(&p, 1, &limit, NULL));
        say("OUT %d ERR %d HUP %d IN %d", !!(p.revents & POLLOUT), !!(p.revents & POLLERR), !!(p.revents & POLLHUP),
            !!(p.revents & POLLIN));
        ask_one(s, fd);
    } else {
        serve_one(s);
    }
}

void script_connect_select(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        struct timeval limit = { 8, 0 };
        fd_set r, w;
        FD_ZERO(&r);
        FD_ZERO(&w);
        FD_SET(fd, &r);
        FD_SET(fd, &w);
        say_connect(fd, &s->address);
        said("select", select(fd + 1, &r, &w, NULL, &limit));
        say("read %d write %d", !!FD_ISSET(fd, &r), !!FD_ISSET(fd, &w));
        say_so_error(fd);
        ask_one(s, fd);
    } else {
        serve_one(s);
    }
}

void script_connect_pselect(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        struct timespec limit = { 8, 0 };
        fd_set w;
        FD_ZERO(&w);
        FD_SET(fd, &w);
        say_connect(fd, &s->address);
        said("pselect", pselect(fd + 1, NULL, &w, NULL, &limit, NULL));
        say_so_error(fd);
        ask_one(s, fd);
    } else {
        serve_one(s);
    }
}

static void connect_epoll(struct side *s, uint32_t events, bool register_first)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK), ep = epoll_create1(0);
        if (register_first)
            say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, events, 7);
        say_connect(fd, &s->address);
        if (!register_first)
            say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, events, 7);
        say_epoll(ep, SOON);
        say_so_error(fd);
        say("again:");
        say_epoll(ep, 0);
        ask_one(s, fd);
    } else {
        serve_one(s);
    }
}

void script_connect_epoll_level(struct side *s)
{
    connect_epoll(s, EPOLLOUT, false);
}

void script_connect_epoll_edge(struct side *s)
{
    connect_epoll(s, EPOLLIN | EPOLLOUT | EPOLLET, false);
}

void script_connect_epoll_oneshot(struct side *s)
{
    connect_epoll(s, EPOLLIN | EPOLLOUT | EPOLLONESHOT, false);
}

void script_connect_epoll_edge_rdhup(struct side *s)
{
    connect_epoll(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, false);
}

/* As asio does: every event, edge-triggered, before connect. */
void script_connect_epoll_registered_before(struct side *s)
{
    connect_epoll(s, EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLERR | EPOLLHUP | EPOLLET, true);
}

void script_connect_epoll_level_registered_before(struct side *s)
{
    connect_epoll(s, EPOLLOUT, true);
}

/* Only reading is registered: nothing until the answer comes. */
void script_connect_epoll_in_only(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK), ep = epoll_create1(0);
        say_connect(fd, &s->address);
        say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 3);
        say_epoll(ep, SOON);
        say_recv(fd, 100, 0);
        ask_one(s, fd);
    } else {
        int fd = accepted(s);
        say_send(fd, "welcome", 0);
        say_recv(fd, 100, 0);
        say_send(fd, "answer", 0);
        meet(s);
    }
}

/* The registration changes while the connection is being made. */
void script_connect_epoll_mod_while_pending(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK), ep = epoll_create1(0);
        say_connect(fd, &s->address);
        say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 3);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLOUT, 4);
        say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLOUT, 4);
        say_epoll(ep, SOON);
        say_epoll_ctl(ep, EPOLL_CTL_DEL, fd, 0, 0);
        say_epoll_ctl(ep, EPOLL_CTL_DEL, fd, 0, 0);
        ask_one(s, fd);
    } else {
        serve_one(s);
    }
}

/* Two epoll sets and a dup'ed descriptor wait for the same connect. */
void script_connect_two_epoll_sets(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK), one = epoll_create1(0), two = epoll_create1(0), copy = dup(fd);
        say_connect(fd, &s->address);
        say_epoll_ctl(one, EPOLL_CTL_ADD, fd, EPOLLOUT, 1);
        say_epoll_ctl(two, EPOLL_CTL_ADD, fd, EPOLLOUT, 2);
        say_epoll_ctl(two, EPOLL_CTL_ADD, copy, EPOLLOUT, 3);
        say_epoll(one, SOON);
        await(copy, POLLOUT);
        say_epoll(two, SOON);
        ask_one(s, copy);
    } else {
        serve_one(s);
    }
}

/* An outer set sees the inner one become ready. */
void script_connect_nested_epoll(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK), inner = epoll_create1(0), outer = epoll_create1(0);
        say_epoll_ctl(outer, EPOLL_CTL_ADD, inner, EPOLLIN, 1);
        say_connect(fd, &s->address);
        say_epoll_ctl(inner, EPOLL_CTL_ADD, fd, EPOLLOUT, 2);
        say_epoll(outer, SOON);
        say_epoll(inner, SOON);
        ask_one(s, fd);
    } else {
        serve_one(s);
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

void script_connect_refused(struct side *s)
{
    struct sockaddr_in nobody;
    if (s->client) {
        int hold = bound_port(&nobody), fd = tcp_socket(0);
        say_connect(fd, &nobody);
        say_so_error(fd);
        say_names(fd, s);
        say_connect(fd, &nobody);
        close(hold);
    }
}

void script_connect_refused_nonblocking(struct side *s)
{
    struct sockaddr_in nobody;
    if (s->client) {
        int hold = bound_port(&nobody), fd = tcp_socket(SOCK_NONBLOCK);
        say_connect(fd, &nobody);
        say_poll(fd, POLLOUT, SOON);
        say_so_error(fd);
        say_so_error(fd);
        close(hold);
    }
}

void script_connect_refused_epoll(struct side *s)
{
    struct sockaddr_in nobody;
    if (s->client) {
        int hold = bound_port(&nobody), fd = tcp_socket(SOCK_NONBLOCK), ep = epoll_create1(0);
        say_connect(fd, &nobody);
        say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLET, 1);
        say_epoll(ep, SOON);
        say_send(fd, "x", MSG_NOSIGNAL);
        say_so_error(fd);
        say_send(fd, "x", MSG_NOSIGNAL);
        close(hold);
    }
}

void script_connect_refused_select(struct side *s)
{
    struct sockaddr_in nobody;
    if (s->client) {
        int hold = bound_port(&nobody), fd = tcp_socket(SOCK_NONBLOCK);
        struct timeval limit = { 8, 0 };
        fd_set r, w;
        FD_ZERO(&r);
        FD_ZERO(&w);
        FD_SET(fd, &r);
        FD_SET(fd, &w);
        say_connect(fd, &nobody);
        said("select", select(fd + 1, &r, &w, NULL, &limit));
        say("read %d write %d", !!FD_ISSET(fd, &r), !!FD_ISSET(fd, &w));
        say_connect(fd, &nobody);
        close(hold);
    }
}

/* The same socket, somewhere else after a refusal. */
void script_connect_refused_then_elsewhere(struct side *s)
{
    struct sockaddr_in nobody;
    if (s->client) {
        int hold = bound_port(&nobody), fd = tcp_socket(0);
        say_connect(fd, &nobody);
        say_connect(fd, &s->address);
        ask_one(s, fd);
        close(hold);
    } else {
        serve_one(s);
    }
}

/* A backlog that is full answers nothing: in progress, really. */
void script_connect_in_progress(struct side *s)
{
    if (s->client) {
        struct sockaddr_in full;
        int extra[4], listener = listen_on(&full, 0), fd;
        for (int i = 0; i < 2; i++) {
            extra[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
            connect(extra[i], (struct sockaddr *)&full, sizeof full);
        }
        fd = tcp_socket(SOCK_NONBLOCK);
        say_connect(fd, &full);
        say_connect(fd, &full);
        say_so_error(fd);
        say_names(fd, s);
        say_poll(fd, POLLIN | POLLOUT, NOTHING);
        say_send(fd, "x", MSG_NOSIGNAL);
        say_recv(fd, 1, 0);
        for (int i = 0; i < 2; i++)
            close(extra[i]);
        close(listener);
        close(fd);
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

void script_connect_errors(struct side *s)
{
    struct sockaddr_in address = s->address;
    int ends[2];
    if (!s->client)
        return;
    int fd = tcp_socket(0);
    said("connect(short)", connect(fd, (struct sockaddr *)&address, 4));
    said("connect(bad pointer)", connect(fd, (struct sockaddr *)8, sizeof address));
    said("connect(-1)", connect(-1, (struct sockaddr *)&address, sizeof address));
    said("connect(pipe)", pipe(ends) ? 0 : connect(ends[0], (struct sockaddr *)&address, sizeof address));
    address.sin_family = AF_INET6;
    said("connect(IPv6 family)", connect(fd, (struct sockaddr *)&address, sizeof address));
    close(fd);
    said("connect(closed)", connect(fd, (struct sockaddr *)&s->address, sizeof address));
}

/* One thread holds both ends. */
void script_connect_to_own_listener(struct side *s)
{
    struct sockaddr_in own;
    if (!s->client)
        return;
    int listener = listen_on(&own, 4), fd = tcp_socket(0), end;
    say_connect(fd, &own);
    end = accept(listener, NULL, NULL);
    say("accept %s", end >= 0 ? "a descriptor" : strerrorname_np(errno));
    say_send(fd, "to myself", 0);
    say_recv(end, 100, 0);
    say_send(end, "and back", 0);
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
