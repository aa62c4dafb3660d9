/* Non-blocking connects, waited for in every way there is. */
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
        say("OUT %d ERR %d HUP %d IN %d", !!(p.revents & POLLOUT), !!(p.revents & POLLERR),
            !!(p.revents & POLLHUP), !!(p.revents & POLLIN));
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

/* Looks once, is busy for a while, and then waits: whatever has come meanwhile, it is writable and no more. */
void script_connect_select_late(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        struct timeval limit = { 8, 0 };
        fd_set w;
        say_connect(fd, &s->address);
        poll(&(struct pollfd){ fd, POLLOUT, 0 }, 1, 0);
        poll(NULL, 0, 3 * NOTHING);
        FD_ZERO(&w);
        FD_SET(fd, &w);
        said("select", select(fd + 1, NULL, &w, NULL, &limit));
        say("write %d", !!FD_ISSET(fd, &w));
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
