/* Edge-triggered epoll on established connections. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

void script_epoll_edge(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        int ep = set_of(fd, EPOLLIN | EPOLLOUT | EPOLLET, 1);
        say_epoll(ep, SOON);
        say_epoll(ep, NOTHING);
        let_peer_send(s);
        say_epoll(ep, SOON);
        say_epoll(ep, NOTHING);
        say_recv(fd, 20, 0);
        say_recv(fd, 20, 0);
        let_peer_send(s);
        say_epoll(ep, SOON);
        say_recv(fd, 20, 0);
    } else {
        deliver(s, fd, "one edge");
        deliver(s, fd, "another");
    }
    meet(s);
}

/* A partial read brings no new edge; new data does. */
void script_epoll_edge_partial_read(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        int ep = set_of(fd, EPOLLIN | EPOLLET, 1);
        let_peer_send(s);
        say_epoll(ep, SOON);
        say_recv(fd, 3, 0);
        say_epoll(ep, NOTHING);
        let_peer_send(s);
        say_epoll(ep, SOON);
        say_recv(fd, 100, 0);
        say_recv(fd, 100, 0);
        say_epoll(ep, NOTHING);
    } else {
        deliver(s, fd, "abcdefgh");
        deliver(s, fd, "ijkl");
    }
    meet(s);
}

/* Re-arming with MOD raises the event again while there is something to read. */
void script_epoll_edge_rearm(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        int ep = set_of(fd, EPOLLIN | EPOLLET, 1);
        let_peer_send(s);
        say_epoll(ep, SOON);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET, 2);
        say_epoll(ep, SOON);
        say_recv(fd, 1, 0);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET, 3);
        say_epoll(ep, SOON);
        say_recv(fd, 100, 0);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET, 4);
        say_epoll(ep, NOTHING);
    } else {
        deliver(s, fd, "rearm");
    }
    meet(s);
}

void script_epoll_rdhup(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        int ep = set_of(fd, EPOLLIN | EPOLLRDHUP | EPOLLET, 1);
        let_peer_send(s);
        say_epoll(ep, SOON);
        meet(s);
        meet(s);
        await(fd, POLLRDHUP);
        say_epoll(ep, SOON);
        say_recv(fd, 100, 0);
        say_recv(fd, 100, 0);
        say_epoll(ep, NOTHING);
        shutdown(fd, SHUT_WR);
        say_epoll(ep, SOON);
    } else {
        deliver(s, fd, "last words");
        meet(s);
        shutdown(fd, SHUT_WR);
        settle(fd);
        meet(s);
    }
    meet(s);
}

/* Full, then drained: one edge for writing. */
void script_epoll_edge_out_after_full(struct side *s)
{
    int fd = connected_nonblocking(s);
    struct stream stream = stream_of(9);
    uint64_t total;
    small_buffers(fd);
    if (s->client) {
        int ep = set_of(fd, EPOLLOUT | EPOLLET, 1);
        say_epoll(ep, SOON);
        do
            total = fill(fd, &stream);
        while (epoll_wait(ep, &(struct epoll_event){ 0 }, 1, NOTHING) == 1);
        tell(s, &total, sizeof total);
        say_epoll(ep, SOON);
        /* The last write is one that went whole: after a part of one, a program goes on. */
        ssize_t sent = 0;
        char data[5000];
        while (stream.at < 1 << 20 || sent != (ssize_t)sizeof data) {
            stream_make(&stream, data, sizeof data);
            sent = send(fd, data, sizeof data, 0);
            if (sent > 0)
                stream_sent(&stream, (size_t)sent);
            else if (epoll_wait(ep, &(struct epoll_event){ 0 }, 1, SOON) != 1)
                fail("no edge after %llu bytes", (unsigned long long)stream.at);
        }
        shutdown(fd, SHUT_WR);
    } else {
        char data[3000];
        ssize_t got;
        hear(s, &total, sizeof total);
        while (await(fd, POLLIN), (got = recv(fd, data, sizeof data, 0)) != 0)
            if (got > 0 && !stream_got(&stream, data, (size_t)got))
                fail("wrong byte at %llu", (unsigned long long)stream.at);
        say("all: %d", stream.at >= 1 << 20);
    }
    meet(s);
}

/* Edge-triggered reader: on each edge until a short count, as nginx does. */
void script_epoll_edge_until_short(struct side *s)
{
    enum { TOTAL = 3 * 1024 * 1024 };
    int fd = connected_nonblocking(s);
    if (s->client) {
        struct stream stream = stream_of(12);
        int ep = set_of(fd, EPOLLIN | EPOLLRDHUP | EPOLLET, 1);
        static char part[16384];
        meet(s);
        while (stream.at < TOTAL) {
            ssize_t got;
            if (epoll_wait(ep, &(struct epoll_event){ 0 }, 1, SOON) != 1)
                fail("an edge was lost after %llu bytes", (unsigned long long)stream.at);
            do {
                got = recv(fd, part, sizeof part, 0);
                if (got > 0 ? !stream_got(&stream, part, (size_t)got) : got < 0 && errno != EAGAIN)
                    fail("recv gave %zd after %llu bytes", got, (unsigned long long)stream.at);
            } while (got == sizeof part);
        }
        say("%llu bytes #%08x", (unsigned long long)stream.at, stream.sum);
    } else {
        meet(s);
        send_stream(fd, 12, TOTAL, 100000);
    }
    meet(s);
}
