/* Connections that nobody takes. */
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

/* A program that thinks better of it: what TCP has not made is over, and nobody tries again. */
static void shut_connecting(struct side *s, int how)
{
    int filler = crowd(s), fd;
    if (s->client) {
        fd = tcp_socket(SOCK_NONBLOCK);
        say_connect(fd, &s->address);
        said("shutdown", shutdown(fd, how));
        say_poll(fd, 0, 0);
        say_so_error(fd);
        say_poll(fd, POLLIN | POLLOUT, 0);
        close(fd);
        close(filler);
    }
    meet(s);
    disperse(s);
}

void script_connect_shut_down(struct side *s)
{
    shut_connecting(s, SHUT_RDWR);
}

void script_connect_shut_writing(struct side *s)
{
    shut_connecting(s, SHUT_WR);
}
