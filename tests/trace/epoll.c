/* epoll on established connections: level, edge, oneshot, nested, dup'ed, reused. */
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

void script_epoll_level(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        int ep = set_of(fd, EPOLLIN, 1);
        say_epoll(ep, NOTHING);
        let_peer_send(s);
        say_epoll(ep, SOON);
        say_epoll(ep, SOON);
        say_recv(fd, 2, 0);
        say_epoll(ep, SOON);
        say_recv(fd, 20, 0);
        say_epoll(ep, NOTHING);
    } else {
        deliver(s, fd, "level");
    }
    meet(s);
}

void script_epoll_oneshot(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        int ep = set_of(fd, EPOLLIN | EPOLLONESHOT, 1);
        let_peer_send(s);
        say_epoll(ep, SOON);
        say_epoll(ep, NOTHING);
        say_recv(fd, 2, 0);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT, 2);
        say_epoll(ep, SOON);
        say_recv(fd, 100, 0);
        let_peer_send(s);
        say_epoll(ep, NOTHING);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET | EPOLLONESHOT, 3);
        say_epoll(ep, SOON);
        say_epoll(ep, NOTHING);
        say_recv(fd, 100, 0);
    } else {
        deliver(s, fd, "first");
        deliver(s, fd, "second");
    }
    meet(s);
}

void script_epoll_nested(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        int inner = set_of(fd, EPOLLIN, 1), outer = set_of(inner, EPOLLIN, 2);
        say_epoll(outer, NOTHING);
        say_poll(outer, POLLIN, 0);
        let_peer_send(s);
        say_epoll(outer, SOON);
        say_poll(outer, POLLIN, SOON);
        say_epoll(inner, SOON);
        say_recv(fd, 2, 0);
        say_epoll(outer, SOON);
        say_recv(fd, 100, 0);
        say_epoll(outer, NOTHING);
        say_poll(inner, POLLIN, 0);
    } else {
        deliver(s, fd, "nested");
    }
    meet(s);
}

void script_epoll_two_sets(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        int one = set_of(fd, EPOLLIN | EPOLLET, 1), two = set_of(fd, EPOLLIN, 2);
        let_peer_send(s);
        say_epoll(one, SOON);
        say_epoll(two, SOON);
        say_recv(fd, 100, 0);
        say_epoll(one, 0);
        say_epoll(two, 0);
        say_epoll_ctl(one, EPOLL_CTL_DEL, fd, 0, 0);
        let_peer_send(s);
        say_epoll(one, NOTHING);
        say_epoll(two, SOON);
    } else {
        deliver(s, fd, "both");
        deliver(s, fd, "one");
    }
    meet(s);
}

void script_epoll_dup(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        int copy = dup(fd), ep = set_of(copy, EPOLLIN, 1);
        say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 2);
        let_peer_send(s);
        say_epoll(ep, SOON);
        say_close(fd);
        say_recv(copy, 2, 0);
        say_epoll_ctl(ep, EPOLL_CTL_DEL, fd, 0, 0);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, copy, EPOLLIN | EPOLLOUT, 3);
        await(copy, POLLIN);
        say("events on the copy: %s", say_epoll(ep, SOON) >= 1 ? "yes" : "no");
    } else {
        deliver(s, fd, "duplicate");
    }
    meet(s);
}

void script_epoll_ctl_errors(struct side *s)
{
    int fd = connected_nonblocking(s), file = open("/dev/null", O_RDONLY), ep = epoll_create1(0);
    say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN, 1);
    say_epoll_ctl(ep, EPOLL_CTL_DEL, fd, EPOLLIN, 1);
    say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 1);
    say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 1);
    say_epoll_ctl(ep, EPOLL_CTL_ADD, 900, EPOLLIN, 1);
    say_epoll_ctl(900, EPOLL_CTL_ADD, fd, EPOLLIN, 1);
    say_epoll_ctl(fd, EPOLL_CTL_ADD, fd, EPOLLIN, 1);
    say_epoll_ctl(ep, EPOLL_CTL_ADD, ep, EPOLLIN, 1);
    say("a plain file: %s",
        epoll_ctl(ep, EPOLL_CTL_ADD, file, &(struct epoll_event){ .events = EPOLLIN }) ? "refused" : "taken");
    said("epoll_ctl(bad op)", epoll_ctl(ep, 9, fd, &(struct epoll_event){ .events = EPOLLIN }));
    said("epoll_ctl(NULL)", epoll_ctl(ep, EPOLL_CTL_MOD, fd, NULL));
    said("epoll_ctl(DEL, NULL)", epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
    said("epoll_wait(0 events)", epoll_wait(ep, &(struct epoll_event){ 0 }, 0, 0));
    said("epoll_wait(not a set)", epoll_wait(fd, &(struct epoll_event){ 0 }, 1, 0));
    said("epoll_wait(-1)", epoll_wait(-1, &(struct epoll_event){ 0 }, 1, 0));
    close(fd);
}

void script_epoll_pwait(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        struct epoll_event events[4];
        struct timespec brief = { 0, 10000000 }, limit = { 8, 0 }, bad = { 0, -1 };
        int ep = set_of(fd, EPOLLIN, 1);
        said("epoll_pwait", epoll_pwait(ep, events, 4, NOTHING, NULL));
        said("epoll_pwait2", epoll_pwait2(ep, events, 4, &brief, NULL));
        said("epoll_pwait2(bad timeout)", epoll_pwait2(ep, events, 4, &bad, NULL));
        let_peer_send(s);
        say_events("epoll_pwait", epoll_pwait(ep, events, 4, SOON, NULL), events);
        say_events("epoll_pwait2", epoll_pwait2(ep, events, 4, &limit, NULL), events);
        say_events("epoll_pwait2", epoll_pwait2(ep, events, 4, NULL, NULL), events);
    } else {
        deliver(s, fd, "pwait");
    }
    meet(s);
}

/* The number comes back; what was registered under it does not. */
void script_epoll_reused_descriptor(struct side *s)
{
    int old = connected_nonblocking(s), fresh;
    int ep = set_of(old, EPOLLIN | EPOLLOUT, 1);
    say_close(old);
    say_epoll(ep, 0);
    meet(s);
    fresh = connected_nonblocking(s);
    say("the same number: %d", fresh == old);
    say_epoll(ep, NOTHING);
    say_epoll_ctl(ep, EPOLL_CTL_MOD, fresh, EPOLLIN, 2);
    say_epoll_ctl(ep, EPOLL_CTL_ADD, fresh, EPOLLOUT, 3);
    say_epoll(ep, SOON);
    meet(s);
}

/* Full, level-triggered: not writable until somebody reads. */
void script_epoll_level_full(struct side *s)
{
    enum { TOTAL = 1 << 20 };
    int fd = connected_nonblocking(s);
    struct stream stream = stream_of(10);
    small_buffers(fd);
    if (s->client) {
        int ep = set_of(fd, EPOLLOUT, 1);
        char data[3000];
        fill(fd, &stream);
        say_epoll(ep, NOTHING);
        say_poll(fd, POLLOUT, 0);
        meet(s);
        say_epoll(ep, SOON);
        while (stream.at < TOTAL) {
            size_t n = TOTAL - stream.at < sizeof data ? TOTAL - stream.at : sizeof data;
            ssize_t sent;
            stream_make(&stream, data, n);
            sent = send(fd, data, n, 0);
            if (sent > 0)
                stream_sent(&stream, (size_t)sent);
            else if (epoll_wait(ep, &(struct epoll_event){ 0 }, 1, SOON) != 1)
                fail("not writable after %llu bytes", (unsigned long long)stream.at);
        }
    } else {
        meet(s);
        recv_stream(fd, 10, TOTAL, 0);
    }
    meet(s);
}

static void *wait_in_thread(void *argument)
{
    struct epoll_event event;
    int *ep = argument;
    return (void *)(intptr_t)epoll_wait(*ep, &event, 1, SOON);
}

/* A thread is already inside epoll_wait when the descriptor is added. */
void script_epoll_add_while_waiting(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        int ep = epoll_create1(0);
        pthread_t thread;
        void *result;
        pthread_create(&thread, NULL, wait_in_thread, &ep);
        say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 1);
        let_peer_send(s);
        pthread_join(thread, &result);
        say("the thread got %d", (int)(intptr_t)result);
    } else {
        deliver(s, fd, "wake");
    }
    meet(s);
}

/* A large message, read in small parts by level-triggered events: every event has something to read. */
void script_epoll_level_small_parts(struct side *s)
{
    enum { TOTAL = 50000 };
    int fd = connected_nonblocking(s);
    if (s->client) {
        struct stream stream = stream_of(11);
        int ep = set_of(fd, EPOLLIN, 1);
        char part[700];
        meet(s);
        while (stream.at < TOTAL) {
            ssize_t got;
            if (epoll_wait(ep, &(struct epoll_event){ 0 }, 1, SOON) != 1)
                fail("no event after %llu bytes", (unsigned long long)stream.at);
            got = recv(fd, part, sizeof part, 0);
            if (got > 0 ? !stream_got(&stream, part, (size_t)got) : errno != EAGAIN)
                fail("recv gave %zd after %llu bytes", got, (unsigned long long)stream.at);
        }
        say("%llu bytes #%08x", (unsigned long long)stream.at, stream.sum);
        say_recv(fd, 1, 0);
        say_epoll(ep, NOTHING);
    } else {
        meet(s);
        send_stream(fd, 11, TOTAL, TOTAL);
    }
    meet(s);
}
