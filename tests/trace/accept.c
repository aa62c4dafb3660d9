/* Accepting: blocking and not, flags, and sockets that are waited for before their client has said anything.
 */
#include "trace.h"

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

static void say_flags(int fd)
{
    int status = fcntl(fd, F_GETFL), flags = fcntl(fd, F_GETFD);
    say("NONBLOCK %d RDWR %d CLOEXEC %d", !!(status & O_NONBLOCK), (status & O_ACCMODE) == O_RDWR,
        flags & FD_CLOEXEC);
}

static void say_accepted(const char *call, int fd)
{
    if (fd < 0)
        said(call, fd);
    else
        say("%s = a descriptor", call);
}

/* The client's part: connect when the server is ready, talk, done. */
static void talk(struct side *s)
{
    int fd = tcp_socket(0);
    meet(s);
    said("connect", connect(fd, (struct sockaddr *)&s->address, sizeof s->address));
    say_send(fd, "hello", 0);
    say_recv(fd, 100, 0);
    meet(s);
}

void script_accept_nonblocking(struct side *s)
{
    if (s->client) {
        talk(s);
    } else {
        int fd;
        nonblocking(s->listener, true);
        said("accept", accept(s->listener, NULL, NULL));
        said("accept4", accept4(s->listener, NULL, NULL, SOCK_NONBLOCK));
        meet(s);
        say_poll(s->listener, POLLIN, SOON);
        fd = accept(s->listener, NULL, NULL);
        say_accepted("accept", fd);
        say_flags(fd);
        said("accept", accept(s->listener, NULL, NULL));
        say_recv(fd, 100, 0);
        say_send(fd, "bye", 0);
        meet(s);
    }
}

void script_accept4_flags(struct side *s)
{
    if (s->client) {
        talk(s);
    } else {
        int fd;
        meet(s);
        fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        say_accepted("accept4", fd);
        say_flags(fd);
        await(fd, POLLIN);
        say_recv(fd, 100, 0);
        say_send(fd, "bye", 0);
        said("accept4(bad flags)", accept4(s->listener, NULL, NULL, 1));
        meet(s);
    }
}

/* What the listener was told, the accepted socket has too. */
void script_accept_inherits_options(struct side *s)
{
    int one = 1;
    if (s->client) {
        talk(s);
    } else {
        int fd;
        setsockopt(s->listener, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof one);
        setsockopt(s->listener, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
        meet(s);
        fd = accepted(s);
        say_option(fd, IPPROTO_TCP, 1, "TCP_NODELAY");
        say_option(fd, SOL_SOCKET, SO_KEEPALIVE, "SO_KEEPALIVE");
        say_recv(fd, 100, 0);
        say_option(fd, IPPROTO_TCP, 1, "TCP_NODELAY");
        say_send(fd, "bye", 0);
        meet(s);
    }
}

void script_accept_errors(struct side *s)
{
    int ends[2], fd = tcp_socket(0);
    if (s->client)
        return;
    said("accept(-1)", accept(-1, NULL, NULL));
    said("accept(not listening)", accept(fd, NULL, NULL));
    said("accept(pipe)", pipe(ends) ? 0 : accept(ends[0], NULL, NULL));
    said("listen(-1)", listen(-1, 1));
    said("listen(pipe)", listen(ends[0], 1));
}

/* An accepted socket whose client has connected and says nothing. */
void script_accepted_silent_client(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        said("connect", connect(fd, (struct sockaddr *)&s->address, sizeof s->address));
        meet(s);
        meet(s);
        say_send(fd, "at last", 0);
        meet(s);
    } else {
        int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK);
        meet(s);
        say_recv(fd, 10, 0);
        say_poll(fd, POLLIN, NOTHING);
        meet(s);
        say_poll(fd, POLLIN, SOON);
        say_recv(fd, 10, 0);
        meet(s);
    }
}

static void accepted_epoll(struct side *s, uint32_t events)
{
    if (s->client) {
        int fd = tcp_socket(0);
        said("connect", connect(fd, (struct sockaddr *)&s->address, sizeof s->address));
        say_send(fd, "data", 0);
        settle(fd);
        meet(s);
        say_recv(fd, 10, 0);
        meet(s);
    } else {
        int ep = epoll_create1(0), fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK);
        say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, events, 1);
        say_epoll(ep, SOON);
        say_recv(fd, 10, 0);
        say_recv(fd, 10, 0);
        say_epoll(ep, NOTHING);
        meet(s);
        say_send(fd, "answer", 0);
        meet(s);
    }
}

void script_accepted_epoll_level(struct side *s)
{
    accepted_epoll(s, EPOLLIN);
}

void script_accepted_epoll_edge(struct side *s)
{
    accepted_epoll(s, EPOLLIN | EPOLLRDHUP | EPOLLET);
}

void script_accepted_epoll_oneshot(struct side *s)
{
    accepted_epoll(s, EPOLLIN | EPOLLONESHOT);
}

/* Server speaks first: it waits for OUT, edge-triggered, then for the reply. */
void script_accepted_epoll_out_first(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        said("connect", connect(fd, (struct sockaddr *)&s->address, sizeof s->address));
        say_recv(fd, 10, 0);
        meet(s);
        say_send(fd, "reply", 0);
        meet(s);
    } else {
        int ep = epoll_create1(0), fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK);
        say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLET, 1);
        say_epoll(ep, SOON);
        say_send(fd, "banner", 0);
        meet(s);
        say_epoll(ep, SOON);
        say_recv(fd, 10, 0);
        meet(s);
    }
}

void script_accepted_select(struct side *s)
{
    if (s->client) {
        talk(s);
    } else {
        fd_set r;
        struct timeval limit = { 8, 0 };
        int fd;
        meet(s);
        fd = accepted(s);
        FD_ZERO(&r);
        FD_SET(fd, &r);
        said("select", select(fd + 1, &r, NULL, NULL, &limit));
        say("readable %d", !!FD_ISSET(fd, &r));
        say_recv(fd, 100, 0);
        say_send(fd, "bye", 0);
        meet(s);
    }
}

/* The listener itself, edge-triggered and shared by two sets. */
void script_listener_epoll(struct side *s)
{
    if (s->client) {
        talk(s);
    } else {
        int one = epoll_create1(0), two = epoll_create1(0), fd;
        nonblocking(s->listener, true);
        say_epoll_ctl(one, EPOLL_CTL_ADD, s->listener, EPOLLIN | EPOLLET, 1);
        say_epoll_ctl(two, EPOLL_CTL_ADD, s->listener, EPOLLIN | EPOLLEXCLUSIVE, 2);
        say_epoll(one, 0);
        meet(s);
        await(s->listener, POLLIN);
        say_epoll(one, SOON);
        say_epoll(one, 0);
        say_epoll(two, SOON);
        fd = accepted(s);
        say_epoll(two, 0);
        say_recv(fd, 100, 0);
        say_send(fd, "bye", 0);
        meet(s);
    }
}

/* A client that goes away before it is accepted leaves a connection at its end. */
void script_accept_after_client_left(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        said("connect", connect(fd, (struct sockaddr *)&s->address, sizeof s->address));
        say_close(fd);
        meet(s);
    } else {
        meet(s);
        int fd = accepted(s);
        nonblocking(fd, true);
        say_poll(fd, POLLIN, SOON);
        say("the read %s", recv(fd, (char[1]){ 0 }, 1, 0) <= 0 ? "brings no data" : "brings data");
    }
}
