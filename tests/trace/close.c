/* Ends: half-closed, closed, copied descriptors. Resets are in resets.c. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

static void say_shutdown(int fd, int how)
{
    static const char *const hows[] = { "shutdown(RD)", "shutdown(WR)", "shutdown(RDWR)" };
    said(hows[how], shutdown(fd, how));
}

/* The request ends, the answer still comes. */
void script_half_close_then_reply(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_send(fd, "request", 0);
        say_shutdown(fd, SHUT_WR);
        say_recv(fd, 100, MSG_WAITALL);
        say_recv(fd, 100, 0);
    } else {
        say_recv(fd, 7, MSG_WAITALL);
        say_recv(fd, 100, 0);
        say_recv(fd, 100, 0);
        say_send(fd, "reply ", 0);
        say_send(fd, "in two parts", 0);
        say_close(fd);
    }
    meet(s);
}

void script_half_close_large_reply(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_shutdown(fd, SHUT_WR);
        recv_stream(fd, 40, 2000000, 0);
        say_recv(fd, 1, 0);
    } else {
        say_recv(fd, 1, 0);
        send_stream(fd, 40, 2000000, 2000000);
        say_close(fd);
    }
    meet(s);
}

void script_write_after_half_close(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_shutdown(fd, SHUT_WR);
        say_shutdown(fd, SHUT_WR);
        say_send(fd, "too late", MSG_NOSIGNAL);
        say_signals();
        say_send(fd, "too late", 0);
        say_signals();
        say_write(fd, "too late");
        said("writev", writev(fd, &(struct iovec){ "x", 1 }, 1));
        say_signals();
        say_send(fd, "", MSG_NOSIGNAL);
        say_poll(fd, POLLIN | POLLOUT, 0);
    }
    meet(s);
}

void script_shutdown_read(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        say_shutdown(fd, SHUT_RD);
        say_recv(fd, 10, 0);
        say_poll(fd, POLLIN | POLLOUT | POLLRDHUP, SOON);
        say_send(fd, "I can still talk", 0);
        meet(s);
    } else {
        await(fd, POLLIN);
        say_recv(fd, 100, 0);
        meet(s);
    }
    meet(s);
}

/* The same before the listener has accepted: an end at once, by every way to look; and once it is connected, it still talks. */
static void shut_before_accept(struct side *s, int flags)
{
    int fd;
    if (s->client) {
        int level, edge, once;
        fd = tcp_socket(flags);
        say_connect(fd, &s->address);
        await(fd, POLLOUT);
        level = set_of(fd, EPOLLRDHUP, 1);
        edge = set_of(fd, EPOLLIN | EPOLLRDHUP | EPOLLET, 2);
        once = set_of(fd, EPOLLIN | EPOLLOUT | EPOLLONESHOT, 3);
        say_epoll(level, 0);
        say_epoll(edge, 0);
        say_shutdown(fd, SHUT_RD);
        say_poll(fd, POLLIN | POLLRDHUP, SOON);
        say_poll(fd, POLLRDHUP, SOON);
        say_epoll(level, SOON);
        say_epoll(level, SOON);
        say_epoll(edge, SOON);
        say_epoll(edge, 0);
        say_epoll(once, 0) > 0 ? say_epoll(once, 0) : 0;
        say_recv(fd, 10, 0);
        say_send(fd, "question", 0);
        meet(s);
        meet(s);
        say_poll(fd, POLLIN | POLLOUT | POLLRDHUP, SOON);
        say_epoll(level, SOON);
        say_recv(fd, 10, 0);
        close(level);
        close(edge);
        close(once);
    } else {
        meet(s);
        fd = accepted(s);
        say_recv(fd, 8, MSG_WAITALL);
        meet(s);
    }
    meet(s);
    close(fd);
}

void script_shutdown_read_before_accept(struct side *s)
{
    shut_before_accept(s, 0);
}

void script_shutdown_read_before_accept_nonblocking(struct side *s)
{
    shut_before_accept(s, SOCK_NONBLOCK);
}

/* Data that is there when reading is shut down is still delivered. */
void script_shutdown_read_with_data(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        meet(s);
        await(fd, POLLIN);
        say_recv(fd, 3, 0);
        say_shutdown(fd, SHUT_RD);
        say_recv(fd, 100, 0);
        say_recv(fd, 100, 0);
    } else {
        send(fd, "before it", 9, 0);
        settle(fd);
        meet(s);
    }
    meet(s);
}

void script_shutdown_both(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        say_shutdown(fd, SHUT_RDWR);
        say_recv(fd, 10, 0);
        say_send(fd, "x", MSG_NOSIGNAL);
        meet(s);
        meet(s);
        /* The server's close_notify meets a closed door, so that POLLERR may come with it. */
        await(fd, POLLHUP);
        say_shutdown(fd, SHUT_RDWR);
        say_close(fd);
    } else {
        meet(s);
        await(fd, POLLRDHUP);
        say_poll(fd, POLLIN | POLLOUT | POLLRDHUP, SOON);
        say_recv(fd, 10, 0);
        say_close(fd);
        meet(s);
    }
    meet(s);
}

/* Until the kernel's connection has come to its end. */
static void over(int fd)
{
    struct tcp_info info = { 0 };
    socklen_t n = sizeof info;
    for (int i = 0; i < SOON; i++) {
        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 && info.tcpi_state == TCP_CLOSE)
            return;
        poll(NULL, 0, 1);
    }
    fail("the connection is not over (%d)", info.tcpi_state);
}

/* Who reads no more hears nothing of the peer's end: writing is a broken pipe as before. */
static void peer_ends(struct side *s, bool read_first)
{
    int fd = connected(s);
    if (s->client) {
        say_shutdown(fd, SHUT_RDWR);
        meet(s);
        over(fd);
        if (read_first)
            say_recv(fd, 10, 0);
        say_send(fd, "too late", 0);
        say_signals();
        say_send(fd, "too late", 0);
        say_signals();
        say_recv(fd, 10, 0);
        say_so_error(fd);
    } else {
        say_recv(fd, 10, 0);
        say_shutdown(fd, SHUT_WR);
        meet(s);
        say_recv(fd, 10, 0);
    }
    meet(s);
}

void script_shutdown_both_then_peer_ends(struct side *s)
{
    peer_ends(s, false);
}

void script_shutdown_both_then_peer_ends_read(struct side *s)
{
    peer_ends(s, true);
}

void script_shutdown_errors(struct side *s)
{
    int fd = connected(s), ends[2];
    if (pipe(ends))
        fail("pipe");
    said("shutdown(bad how)", shutdown(fd, 7));
    said("shutdown(pipe)", shutdown(ends[0], SHUT_WR));
    said("shutdown(closed)", (close(fd), shutdown(fd, SHUT_WR)));
    meet(s);
}

/* Both close at the same time: both see a clean end. */
void script_both_half_close(struct side *s)
{
    int fd = connected(s);
    say_shutdown(fd, SHUT_WR);
    meet(s);
    say_recv(fd, 10, 0);
    say_recv(fd, 10, 0);
    await(fd, POLLHUP);
    say_poll(fd, POLLIN | POLLOUT | POLLRDHUP, SOON);
    meet(s);
}

/* The peer is gone: one write still goes, the next is EPIPE with SIGPIPE. */
void script_epipe_after_close(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        meet(s);
        await(fd, POLLRDHUP);
        say_send(fd, "into the void", 0);
        await(fd, 0);
        say_signals();
        say_send(fd, "again", 0);
        say_signals();
        say_send(fd, "again", MSG_NOSIGNAL);
        say_signals();
        say_recv(fd, 10, 0);
        say_so_error(fd);
    } else {
        say_close(fd);
        meet(s);
    }
    meet(s);
}

/* Closing with something unread tells the peer by a reset. */
void script_close_with_unread_data(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_send(fd, "nobody reads this", 0);
        settle(fd);
        meet(s);
        await(fd, 0);
        say_recv(fd, 10, 0);
        say_recv(fd, 10, 0);
    } else {
        meet(s);
        await(fd, POLLIN);
        say_close(fd);
    }
    meet(s);
}

void script_close_partly_read(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_send(fd, "nobody reads all of this", 0);
        settle(fd);
        meet(s);
        await(fd, 0);
        say_recv(fd, 10, 0);
        say_recv(fd, 10, 0);
    } else {
        meet(s);
        say_recv(fd, 6, 0);
        say_close(fd);
    }
    meet(s);
}

/* Everything that was written before close arrives, however slowly it is read. */
void script_close_in_flight(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        send_stream(fd, 41, 300000, 300000);
        say_close(fd);
        meet(s);
    } else {
        recv_stream(fd, 41, 300000, 0);
        say_recv(fd, 10, 0);
        meet(s);
    }
}

void script_close_lingering(struct side *s)
{
    struct linger wait = { 1, 5 };
    int fd = connected(s);
    if (s->client) {
        said("setsockopt(SO_LINGER)", setsockopt(fd, SOL_SOCKET, SO_LINGER, &wait, sizeof wait));
        send_stream(fd, 42, 100000, 100000);
        say_close(fd);
    } else {
        recv_stream(fd, 42, 100000, 0);
        say_recv(fd, 10, 0);
    }
    meet(s);
}

void script_close_twice(struct side *s)
{
    int fd = connected(s);
    char byte;
    say_close(fd);
    say_close(fd);
    said("recv", recv(fd, &byte, 1, 0));
    said("send", send(fd, "x", 1, MSG_NOSIGNAL));
    said("fcntl", fcntl(fd, F_GETFL));
    said("close(-1)", close(-1));
    meet(s);
}
