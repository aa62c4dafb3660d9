/* EINTR, with and without SA_RESTART, in every call that may wait. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

static int control;

static void woken(int number)
{
    (void)number;
}

/* After a few interruptions, let the peer act. */
static void release_peer(void)
{
    if (ticks == 4)
        (void)!write(control, "t", 1);
}

static void tick_until_released(struct side *s)
{
    control = s->control;
    on_tick = release_peer;
    tick_start(SA_RESTART);
}

static void wait_for_release(struct side *s)
{
    char token;
    hear(s, &token, 1);
}

/* One call that nothing but a signal ends. */
static void interrupted(const struct wait_call *call, int fd)
{
    tick_start(0);
    said(call->name, call->run(fd));
    tick_stop();
}

/* One call that goes on, or that signal(7) says does not. */
static void restarted(struct side *s, const struct wait_call *call, int fd)
{
    if (call->restarts)
        tick_until_released(s);
    else
        tick_start(SA_RESTART);
    said(call->name, call->run(fd));
    tick_stop();
}

void script_eintr_each(struct side *s)
{
    int fd = connected(s);
    wait_begin();
    for (size_t i = 0; s->client && i < wait_call_count; i++)
        interrupted(&wait_calls[i], fd);
    wait_end();
    meet(s);
    say_send(fd, "still here", 0);
    say_recv(fd, 10, MSG_WAITALL);
    meet(s);
}

void script_eintr_each_restart(struct side *s)
{
    int fd = connected(s);
    wait_begin();
    for (size_t i = 0; i < wait_call_count; i++) {
        if (s->client) {
            restarted(s, &wait_calls[i], fd);
        } else if (wait_calls[i].restarts) {
            wait_for_release(s);
            send(fd, "0123456789", 10, 0);
        }
        meet(s);
        if (s->client)
            recv(fd, (char[10]){ 0 }, 10, MSG_DONTWAIT); /* what a peek left */
    }
    wait_end();
    meet(s);
}

/* The same on a connection whose client has said nothing yet: the server waits for more than the program knows of. */
void script_eintr_first_each(struct side *s)
{
    wait_begin();
    for (size_t i = 0; i < wait_call_count; i++) {
        int fd;
        if (s->client) {
            fd = tcp_socket(0);
            connect(fd, (struct sockaddr *)&s->address, sizeof s->address);
            meet(s);
            send(fd, "0123456789", 10, 0);
        } else {
            fd = accepted(s);
            interrupted(&wait_calls[i], fd);
            meet(s);
            say_recv(fd, 10, MSG_WAITALL);
        }
        meet(s);
        close(fd);
    }
    wait_end();
}

void script_eintr_first_each_restart(struct side *s)
{
    wait_begin();
    for (size_t i = 0; i < wait_call_count; i++) {
        int fd;
        if (s->client) {
            fd = tcp_socket(0);
            connect(fd, (struct sockaddr *)&s->address, sizeof s->address);
            if (wait_calls[i].restarts)
                wait_for_release(s);
            send(fd, "0123456789", 10, 0);
        } else {
            fd = accepted(s);
            restarted(s, &wait_calls[i], fd);
        }
        meet(s);
        close(fd);
    }
    wait_end();
}

/* Java wakes its threads by a signal of the upper half. */
void script_eintr_realtime(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        meet(s);
        ask_one(s, fd);
    } else {
        struct itimerspec soon = { .it_value = { 0, 50000000 }, .it_interval = { 0, 50000000 } },
                          never = { 0 };
        struct sigaction action = { .sa_handler = woken };
        struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMAX - 2 };
        int fd = accepted(s);
        timer_t timer;
        sigaction(SIGRTMAX - 2, &action, NULL);
        if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &soon, NULL))
            fail("timer");
        say_recv(fd, 8, 0);
        said("accept", accept(s->listener, NULL, NULL));
        timer_settime(timer, 0, &never, NULL);
        meet(s);
        say_recv(fd, 8, MSG_WAITALL);
        say_send(fd, "answer", 0);
        meet(s);
    }
}

/* Waiting for a connect that cannot go on: events never restart. */
void script_eintr_connecting(struct side *s)
{
    int filler = crowd(s);
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        say_connect(fd, &s->address);
        wait_begin();
        for (size_t i = 0; i < wait_call_count; i++) {
            if (wait_calls[i].restarts)
                continue;
            tick_start(i % 2 ? SA_RESTART : 0);
            said(wait_calls[i].name, wait_calls[i].run(fd));
            tick_stop();
        }
        wait_end();
        close(fd);
        close(filler);
    }
    meet(s);
}

void script_eintr_connect(struct side *s)
{
    int filler = crowd(s);
    if (s->client) {
        int fd = tcp_socket(0);
        tick_start(0);
        say_connect(fd, &s->address);
        tick_stop();
        say_poll(fd, POLLOUT, 0); /* it goes on by itself */
        say("still blocking %d", !(fcntl(fd, F_GETFL) & O_NONBLOCK));
        make_room(s, filler);
        await(fd, POLLOUT);
        say_so_error(fd);
        ask_one(s, fd);
    } else {
        make_room(s, filler);
        serve_one(s);
    }
}

void script_eintr_connect_restart(struct side *s)
{
    int filler = crowd(s);
    if (s->client) {
        int fd = tcp_socket(0);
        close(filler); /* or it might be connected once more, in place of this one */
        tick_until_released(s);
        say_connect(fd, &s->address);
        tick_stop();
        ask_one(s, fd);
    } else {
        wait_for_release(s);
        listen(s->listener, 16);
        close(accepted(s));
        serve_one(s);
    }
}

void script_eintr_accept(struct side *s)
{
    if (!s->client) {
        tick_start(0);
        said("accept", accept(s->listener, NULL, NULL));
        said("accept4", accept4(s->listener, NULL, NULL, SOCK_CLOEXEC));
        tick_stop();
    }
    meet(s);
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        ask_one(s, fd);
    } else {
        serve_one(s);
    }
}

void script_eintr_accept_restart(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        wait_for_release(s);
        say_connect(fd, &s->address);
        ask_one(s, fd);
    } else {
        int fd;
        tick_until_released(s);
        fd = accept(s->listener, NULL, NULL);
        tick_stop();
        say("accept %s", fd >= 0 ? "a descriptor" : strerrorname_np(errno));
        say_recv(fd, 100, 0);
        say_send(fd, "answer", 0);
        meet(s);
    }
}

/* ---- a full socket ---- */

static long by_send(int fd)
{
    return send(fd, "x", 1, 0);
}

static long by_write(int fd)
{
    return write(fd, "x", 1);
}

static long by_writev(int fd)
{
    return writev(fd, &(struct iovec){ "x", 1 }, 1);
}

static long by_sendmsg(int fd)
{
    struct iovec iov = { "x", 1 };
    return sendmsg(fd, &(struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 }, 0);
}

static long by_sendmmsg(int fd)
{
    struct iovec iov = { "x", 1 };
    return sendmmsg(fd, &(struct mmsghdr){ .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } }, 1, 0);
}

static long by_sendfile(int fd)
{
    static int file = -1;
    off_t at = 0;
    if (file < 0)
        file = file_of(1);
    return sendfile(fd, file, &at, 1);
}

static long by_splice(int fd)
{
    static int ends[2] = { -1, -1 };
    if (ends[0] < 0 && (pipe(ends) || write(ends[1], "x", 1) != 1))
        fail("pipe");
    return splice(ends[0], NULL, fd, NULL, 1, 0);
}

static const struct wait_call writes[] = {
    { "send", by_send, true },       { "write", by_write, true },       { "writev", by_writev, true },
    { "sendmsg", by_sendmsg, true }, { "sendmmsg", by_sendmmsg, true }, { "sendfile", by_sendfile, true },
    { "splice", by_splice, true },
};
enum { WRITES = sizeof writes / sizeof writes[0] };

void script_eintr_writes(struct side *s)
{
    int fd = connected(s);
    struct stream stream = stream_of(61);
    small_buffers(fd);
    if (s->client) {
        fill(fd, &stream);
        for (int i = 0; i < WRITES; i++)
            interrupted(&writes[i], fd);
    }
    meet(s);
}

/* With SO_SNDTIMEO a handler's SA_RESTART does not count. */
void script_eintr_sndtimeo_restart(struct side *s)
{
    int fd = connected(s);
    struct timeval limit = { 5, 0 };
    struct stream stream = stream_of(62);
    small_buffers(fd);
    if (s->client) {
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        fill(fd, &stream);
        tick_start(SA_RESTART);
        say_send(fd, "x", 0);
        tick_stop();
    }
    meet(s);
}

/* A blocked send that has not begun goes on after the handler. */
void script_eintr_send_restart(struct side *s)
{
    int fd = connected(s);
    struct stream stream = stream_of(63);
    small_buffers(fd);
    if (s->client) {
        char rest[1000];
        fill(fd, &stream);
        stream_make(&stream, rest, sizeof rest);
        tick_until_released(s);
        said("send", send(fd, rest, sizeof rest, 0));
        tick_stop();
        stream_sent(&stream, sizeof rest);
        tell(s, &stream.at, sizeof stream.at);
    } else {
        struct pollfd p[2] = { { fd, POLLIN, 0 }, { s->control, POLLIN, 0 } };
        char data[5000];
        uint64_t total;
        wait_for_release(s);
        while (poll(p, 2, -1) > 0 && (p[0].revents || !p[1].revents)) {
            ssize_t got = recv(fd, data, sizeof data, 0);
            if (got <= 0 || !stream_got(&stream, data, (size_t)got))
                fail("wrong at %llu", (unsigned long long)stream.at);
        }
        hear(s, &total, sizeof total);
        stream_recv(&stream, fd, total);
        say("all of it");
    }
    meet(s);
}
