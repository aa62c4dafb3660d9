/* Signals while a call is blocked. The timer repeats, so one that comes before the call is followed by one
 * inside it. */
#include "trace.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

void (*volatile on_tick)(void);

static void handle_tick(int number)
{
    int saved = errno;
    (void)number;
    ticks++;
    if (on_tick)
        on_tick();
    errno = saved;
}

void tick_start(int flags)
{
    struct sigaction action = { .sa_handler = handle_tick, .sa_flags = flags };
    struct itimerval every = { { 0, TICK * 1000 }, { 0, TICK * 1000 } };
    ticks = 0;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
}

void tick_stop(void)
{
    struct itimerval never = { { 0, 0 }, { 0, 0 } };
    setitimer(ITIMER_REAL, &never, NULL);
    on_tick = NULL;
}

/* A handler without SA_RESTART: EINTR, and the connection goes on. */
void script_eintr_recv(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        tick_start(0);
        say_recv(fd, 10, 0);
        tick_stop();
        meet(s);
        say_recv(fd, 10, 0);
    } else {
        meet(s);
        say_send(fd, "after", 0);
    }
}

static int tick_control;

/* After a few interruptions, let the peer send. */
static void release_peer(void)
{
    if (ticks == 4)
        (void)!write(tick_control, "t", 1);
}

void script_eintr_recv_restart(struct side *s)
{
    int fd = connected(s);
    char token;
    if (s->client) {
        tick_control = s->control;
        on_tick = release_peer;
        tick_start(SA_RESTART);
        say_recv(fd, 10, 0);
        tick_stop();
    } else {
        hear(s, &token, 1);
        say_send(fd, "restarted", 0);
    }
}

void script_eintr_recv_waitall(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        meet(s);
        await(fd, POLLIN);
        tick_start(0);
        say_recv(fd, 10, MSG_WAITALL); /* what has come is delivered rather than lost */
        tick_stop();
        meet(s);
        say_recv(fd, 10, 0);
    } else {
        say_send(fd, "four", 0);
        settle(fd);
        meet(s);
        meet(s);
        say_send(fd, "more", 0);
    }
}

/* With SO_RCVTIMEO a handler's SA_RESTART does not count: signal(7). */
void script_eintr_rcvtimeo_restart(struct side *s)
{
    int fd = connected(s);
    struct timeval limit = { 5, 0 };
    if (s->client) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        tick_start(SA_RESTART);
        say_recv(fd, 10, 0);
        tick_stop();
    }
    meet(s);
}

void script_eintr_poll_select_epoll(struct side *s)
{
    int fd = connected(s);
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = 1 };
    struct timespec limit = { 5, 0 };
    if (s->client) {
        int ep = epoll_create1(0);
        fd_set set;
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
        FD_ZERO(&set);
        FD_SET(fd, &set);
        tick_start(SA_RESTART);
        say_poll(fd, POLLIN, SOON);
        said("select", select(fd + 1, &set, NULL, NULL, NULL));
        said("epoll_wait", epoll_wait(ep, &event, 1, SOON));
        said("epoll_pwait", epoll_pwait(ep, &event, 1, SOON, NULL));
        said("epoll_pwait2", epoll_pwait2(ep, &event, 1, &limit, NULL));
        tick_stop();
    }
    meet(s);
}

/* ppoll, pselect and epoll_pwait take the mask for their own time alone. */
void script_signal_masks(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        struct epoll_event event = { .events = EPOLLIN };
        struct pollfd p = { fd, POLLIN, 0 };
        struct timespec limit = { 5, 0 }, brief = { 0, 60000000 };
        sigset_t blocked, none, before;
        int ep = epoll_create1(0);
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
        sigemptyset(&none);
        sigemptyset(&blocked);
        sigaddset(&blocked, SIGALRM);
        sigprocmask(SIG_BLOCK, &blocked, &before);
        tick_start(0);
        said("ppoll, open", ppoll(&p, 1, &limit, &none));
        said("pselect, open", pselect(0, NULL, NULL, NULL, &limit, &none));
        said("epoll_pwait, open", epoll_pwait(ep, &event, 1, SOON, &none));
        said("epoll_pwait2, open", epoll_pwait2(ep, &event, 1, &limit, &none));
        said("ppoll, blocked", ppoll(&p, 1, &brief, &blocked));
        said("epoll_pwait, blocked", epoll_pwait(ep, &event, 1, 60, &blocked));
        tick_stop();
        sigprocmask(SIG_SETMASK, &before, NULL);
    }
    meet(s);
}

/* A blocked send is interrupted: what went is counted, the rest goes with the next call. */
void script_eintr_send(struct side *s)
{
    enum { TOTAL = 16 * 1024 * 1024 };
    int fd = connected(s);
    small_buffers(fd);
    if (s->client) {
        struct stream stream = stream_of(5);
        char *data = malloc(TOTAL);
        ssize_t sent, rest;
        stream_make(&stream, data, TOTAL);
        tick_start(0);
        sent = send(fd, data, TOTAL, 0);
        tick_stop();
        say("interrupted send: %s", sent > 0 && sent < TOTAL ? "part of it" : "not as expected");
        meet(s);
        rest = send(fd, data + sent, TOTAL - (size_t)sent, 0);
        say("the rest: %s", rest == TOTAL - sent ? "all of it" : "not all");
        free(data);
    } else {
        meet(s);
        recv_stream(fd, 5, TOTAL, 0);
    }
}
