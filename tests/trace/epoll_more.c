/* epoll: exclusive, rearmed, nested deeper, with other kinds of descriptors, after a close. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

/* nginx: a listener in two sets, each connection wakes at least one of them. */
void script_epoll_exclusive_listener(struct side *s)
{
    if (s->client) {
        meet(s);
        ask_one(s, ({
                    int fd = tcp_socket(0);
                    say_connect(fd, &s->address);
                    fd;
                }));
    } else {
        int one = set_of(s->listener, EPOLLIN | EPOLLEXCLUSIVE, 1);
        int two = set_of(s->listener, EPOLLIN | EPOLLEXCLUSIVE, 2);
        say_epoll_ctl(one, EPOLL_CTL_MOD, s->listener, EPOLLIN, 1);
        meet(s);
        await(s->listener, POLLIN);
        say("woken %d", epoll_wait(one, &(struct epoll_event){ 0 }, 1, 0) == 1 ||
                            epoll_wait(two, &(struct epoll_event){ 0 }, 1, 0) == 1);
        serve_one(s);
    }
}

/* On a connection, from before its first byte. */
void script_epoll_exclusive_connection(struct side *s)
{
    int fd = s->client ? tcp_socket(SOCK_NONBLOCK) : accepted(s);
    int ep = epoll_create1(0);
    if (s->client)
        say_connect(fd, &s->address);
    say_epoll_ctl(ep, EPOLL_CTL_ADD, fd,
                  s->client ? EPOLLOUT | EPOLLEXCLUSIVE : EPOLLIN | EPOLLEXCLUSIVE | EPOLLET, 1);
    say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 1);
    if (s->client) {
        say_epoll(ep, SOON);
        meet(s);
        ask_one(s, fd);
    } else {
        say_epoll(ep, NOTHING);
        meet(s);
        say_epoll(ep, SOON);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN, 2);
        say_recv(fd, 100, 0);
        say_send(fd, "answer", 0);
        meet(s);
    }
    say_epoll_ctl(ep, EPOLL_CTL_DEL, fd, 0, 0);
}

/* Java and Erlang: one-shot, rearmed for something else each time, also while it is not yet known who the peer is. */
void script_epoll_oneshot_alternating(struct side *s)
{
    int fd, ep = epoll_create1(0);
    if (s->client) {
        fd = tcp_socket(SOCK_NONBLOCK);
        say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLOUT | EPOLLONESHOT, 1);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT, 2);
        say_connect(fd, &s->address);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLOUT | EPOLLONESHOT, 3);
        say_epoll(ep, SOON);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLOUT | EPOLLONESHOT, 4);
        say_epoll(ep, SOON);
        say_epoll(ep, NOTHING);
        say_send(fd, "question", 0);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT, 5);
        say_epoll(ep, SOON);
        say_recv(fd, 3, 0);
        say_epoll(ep, NOTHING);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT, 6);
        say_epoll(ep, SOON);
        say_recv(fd, 100, 0);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, 7);
        meet(s);
        await(fd, POLLRDHUP);
        say_epoll(ep, SOON);
        say_epoll(ep, NOTHING);
    } else {
        fd = accepted(s);
        nonblocking(fd, true);
        say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT, 1);
        say_epoll(ep, SOON);
        say_recv(fd, 100, 0);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLOUT | EPOLLONESHOT, 2);
        say_epoll(ep, SOON);
        say_send(fd, "answer", 0);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT, 3);
        say_epoll(ep, NOTHING);
        meet(s);
        shutdown(fd, SHUT_WR);
    }
    meet(s);
}

/* Several threads share a set; each event goes to one of them, who rearms it. */
struct pool {
    int ep, fd;
    _Atomic int events, bytes;
    _Atomic bool busy, twice;
};

static void *serve_pool(void *argument)
{
    struct pool *pool = argument;
    struct epoll_event event;
    char data[16];
    while (atomic_load(&pool->bytes) < 200) {
        if (epoll_wait(pool->ep, &event, 1, NOTHING) != 1)
            continue;
        if (atomic_exchange(&pool->busy, true))
            atomic_store(&pool->twice, true);
        ssize_t got = recv(pool->fd, data, sizeof data, 0);
        atomic_fetch_add(&pool->events, 1);
        if (got > 0)
            atomic_fetch_add(&pool->bytes, (int)got);
        atomic_store(&pool->busy, false);
        event.events = EPOLLIN | EPOLLONESHOT;
        epoll_ctl(pool->ep, EPOLL_CTL_MOD, pool->fd, &event);
    }
    return NULL;
}

void script_epoll_oneshot_threads(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        struct pool pool = { .ep = set_of(fd, EPOLLIN | EPOLLONESHOT, 1), .fd = fd };
        pthread_t threads[3];
        for (int i = 0; i < 3; i++)
            pthread_create(&threads[i], NULL, serve_pool, &pool);
        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        say("%d bytes, two at once %d", atomic_load(&pool.bytes), atomic_load(&pool.twice));
    } else {
        for (int i = 0; i < 20; i++)
            if (send(fd, "ten bytes.", 10, 0) != 10)
                fail("send");
        say("sent");
    }
    meet(s);
}

/* A set in a set in a set, level- and edge-triggered. */
void script_epoll_nested_deep(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        int inner = set_of(fd, EPOLLIN | EPOLLRDHUP, 1), middle = set_of(inner, EPOLLIN | EPOLLET, 2);
        int outer = set_of(middle, EPOLLIN, 3);
        say_epoll(outer, NOTHING);
        let_peer_send(s);
        say_epoll(outer, SOON);
        say_epoll(middle, SOON);
        say_epoll(outer, NOTHING); /* the edge is spent */
        say_epoll(inner, SOON);
        say_recv(fd, 3, 0);
        say_epoll(inner, SOON);
        let_peer_send(s);
        say_epoll(outer, SOON);
        say_epoll(middle, SOON);
        say_recv(fd, 100, 0);
        say_epoll(inner, NOTHING);
        say_close(inner);
        let_peer_send(s);
        say_epoll(outer, NOTHING);
        say_recv(fd, 100, 0);
    } else {
        deliver(s, fd, "first");
        deliver(s, fd, "second");
        deliver(s, fd, "third");
    }
    meet(s);
}

/* The whole of it while the connection is being made. */
void script_epoll_nested_deep_connect(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK), inner = epoll_create1(0);
        int middle = set_of(inner, EPOLLIN, 2), outer = set_of(middle, EPOLLIN | EPOLLET, 3);
        say_epoll_ctl(inner, EPOLL_CTL_ADD, fd, EPOLLOUT | EPOLLET, 1);
        epoll_wait(inner, &(struct epoll_event){ 0 }, 1, 0); /* an unconnected socket hangs up */
        say_connect(fd, &s->address);
        await(outer, POLLIN);
        say("outer %d", epoll_wait(outer, &(struct epoll_event){ 0 }, 1, SOON));
        say_epoll(inner, SOON);
        say_so_error(fd);
        ask_one(s, fd);
    } else {
        serve_one(s);
    }
}

/* PostgreSQL: signals, a timer and the connection in one set. */
void script_epoll_signalfd_timerfd(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        struct itimerspec soon = { { 0, 0 }, { 0, 5000000 } };
        struct signalfd_siginfo info;
        sigset_t usr1;
        uint64_t count;
        int signals, timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK),
                     counter = eventfd(0, EFD_NONBLOCK), ep;
        sigemptyset(&usr1);
        sigaddset(&usr1, SIGUSR1);
        sigprocmask(SIG_BLOCK, &usr1, NULL);
        signals = signalfd(-1, &usr1, SFD_NONBLOCK | SFD_CLOEXEC);
        ep = set_of(fd, EPOLLIN, 1);
        say_epoll_ctl(ep, EPOLL_CTL_ADD, signals, EPOLLIN, 2);
        say_epoll_ctl(ep, EPOLL_CTL_ADD, timer, EPOLLIN, 3);
        say_epoll_ctl(ep, EPOLL_CTL_ADD, counter, EPOLLIN | EPOLLET, 4);
        say_epoll(ep, NOTHING);
        raise(SIGUSR1);
        say_epoll(ep, SOON);
        said("read(signalfd)", read(signals, &info, sizeof info));
        say("signal %s", sigabbrev_np((int)info.ssi_signo));
        timerfd_settime(timer, 0, &soon, NULL);
        say_epoll(ep, SOON);
        said("read(timerfd)", read(timer, &count, sizeof count));
        say("expired %d", (int)count);
        count = 5;
        said("write(eventfd)", write(counter, &count, sizeof count));
        say_epoll(ep, SOON);
        say_epoll(ep, NOTHING);
        let_peer_send(s);
        raise(SIGUSR1);
        say_epoll(ep, SOON);
        say_recv(fd, 100, 0);
        said("read(signalfd)", read(signals, &info, sizeof info));
        say_epoll(ep, NOTHING);
    } else {
        deliver(s, fd, "message");
    }
    meet(s);
}

/* A descriptor that is closed while a copy lives stays in its set, and nobody can take it out. */
void script_epoll_closed_with_copy(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        int ep = set_of(fd, EPOLLIN, 1), copy = dup(fd);
        say_close(fd);
        say_epoll_ctl(ep, EPOLL_CTL_DEL, fd, 0, 0);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN, 2);
        say_epoll_ctl(ep, EPOLL_CTL_DEL, copy, 0, 0);
        let_peer_send(s);
        say_epoll(ep, SOON);
        say_recv(copy, 100, 0);
        say_epoll(ep, NOTHING);
        say_close(copy);
        say_epoll(ep, 0);
    } else {
        deliver(s, fd, "still there");
    }
    meet(s);
}

/* The same, closed while the connection is being made. */
void script_epoll_closed_with_copy_connecting(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK), ep = epoll_create1(0), copy = dup(fd);
        say_connect(fd, &s->address);
        say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLOUT, 1);
        say_close(fd);
        say_epoll_ctl(ep, EPOLL_CTL_DEL, fd, 0, 0);
        say_epoll(ep, SOON);
        say_so_error(copy);
        ask_one(s, copy);
    } else {
        serve_one(s);
    }
}

/* A registration goes, its set goes, the descriptor goes: all while connecting. */
void script_epoll_gone_while_connecting(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK), one = epoll_create1(0), two = epoll_create1(0);
        say_connect(fd, &s->address);
        say_epoll_ctl(one, EPOLL_CTL_ADD, fd, EPOLLOUT, 1);
        say_epoll_ctl(two, EPOLL_CTL_ADD, fd, EPOLLOUT, 2);
        say_epoll_ctl(one, EPOLL_CTL_DEL, fd, 0, 0);
        say_close(two);
        say_epoll_ctl(one, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT, 3);
        say_epoll(one, SOON);
        ask_one(s, fd);
        fd = tcp_socket(SOCK_NONBLOCK);
        say_connect(fd, &s->address);
        say_epoll_ctl(one, EPOLL_CTL_ADD, fd, EPOLLOUT, 4);
        say_close(fd);
        say_epoll(one, NOTHING);
    } else {
        serve_one(s);
    }
}

/* EPOLLRDHUP in all its forms on both half closes. */
void script_epoll_rdhup_forms(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        int level = set_of(fd, EPOLLRDHUP, 1), once = set_of(fd, EPOLLRDHUP | EPOLLONESHOT, 2);
        int edge = set_of(fd, EPOLLIN | EPOLLRDHUP | EPOLLET, 3), without = set_of(fd, EPOLLIN, 4);
        let_peer_send(s);
        say_epoll(level, NOTHING);
        say_epoll(edge, SOON);
        say_epoll(without, SOON);
        meet(s);
        await(fd, POLLRDHUP);
        say_epoll(level, SOON);
        say_epoll(level, SOON);
        say_epoll(once, SOON);
        say_epoll(once, NOTHING);
        say_epoll(edge, SOON);
        say_epoll(without, SOON);
        say_recv(fd, 100, 0);
        say_recv(fd, 100, 0);
        say_epoll(without, SOON);
        say_epoll_ctl(once, EPOLL_CTL_MOD, fd, EPOLLRDHUP | EPOLLONESHOT, 5);
        say_epoll(once, SOON);
    } else {
        deliver(s, fd, "last");
        shutdown(fd, SHUT_WR);
        meet(s);
    }
    meet(s);
}

/* More events than the program takes at once: the others come with the next calls. */
void script_epoll_few_at_a_time(struct side *s)
{
    enum { MANY = 6 };
    int fds[MANY];
    for (int i = 0; i < MANY; i++)
        fds[i] = connected_nonblocking(s);
    if (s->client) {
        int ep = epoll_create1(0), seen = 0, total = 0;
        for (int i = 0; i < MANY; i++) {
            struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = (uint64_t)i };
            epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &event);
        }
        meet(s);
        for (int i = 0; i < MANY; i++)
            await(fds[i], POLLIN);
        while (total < MANY) {
            struct epoll_event events[2];
            int n = epoll_wait(ep, events, 2, SOON);
            if (n <= 0)
                fail("epoll_wait");
            for (int i = 0; i < n; i++)
                seen |= 1 << events[i].data.u64;
            total += n;
        }
        say("%d events, all different %d", total, seen == (1 << MANY) - 1);
    } else {
        for (int i = 0; i < MANY; i++)
            send(fds[i], "x", 1, 0);
        meet(s);
    }
    meet(s);
}
