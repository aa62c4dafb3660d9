/* SO_RCVTIMEO and SO_SNDTIMEO, and the flags of recv that go with waiting, in every phase of a connection. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

static void limit(int fd, int option, int ms)
{
    struct timeval time = { ms / 1000, ms % 1000 * 1000 };
    if (setsockopt(fd, SOL_SOCKET, option, &time, sizeof time))
        fail("setsockopt");
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Every call that waits for bytes gives up, no earlier than it should, and not much later. */
void script_rcvtimeo_each(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        limit(fd, SO_RCVTIMEO, 40);
        wait_begin();
        for (size_t i = 0; i < wait_call_count; i++) {
            int64_t began = now_ms(), took;
            if (!wait_calls[i].restarts) /* poll and its kin do not know it */
                continue;
            said(wait_calls[i].name, wait_calls[i].run(fd));
            took = now_ms() - began;
            say("in time %d", took >= 35 && took < SOON);
        }
        wait_end();
        limit(fd, SO_RCVTIMEO, 0); /* the server may be late with its own part */
    }
    meet(s);
    say_send(fd, "still here", 0);
    say_recv(fd, 10, MSG_WAITALL);
    meet(s);
}

/* A client that says nothing: the time-out is the program's, not the handshake's. */
void script_rcvtimeo_first_byte(struct side *s)
{
    int fd;
    if (s->client) {
        fd = tcp_socket(0);
        say_connect(fd, &s->address);
        meet(s);
        say_send(fd, "at last", 0);
        say_recv(fd, 6, MSG_WAITALL);
    } else {
        fd = accepted(s);
        limit(fd, SO_RCVTIMEO, 60);
        say_recv(fd, 100, 0);
        say_read(fd, 100);
        say_recv(fd, 100, MSG_WAITALL);
        meet(s);
        limit(fd, SO_RCVTIMEO, SOON);
        say_recv(fd, 7, MSG_WAITALL);
        say_send(fd, "answer", 0);
    }
    meet(s);
}

void script_rcvtimeo_accept(struct side *s)
{
    if (!s->client) {
        limit(s->listener, SO_RCVTIMEO, 40);
        said("accept", accept(s->listener, NULL, NULL));
        said("accept4", accept4(s->listener, NULL, NULL, SOCK_NONBLOCK));
        limit(s->listener, SO_RCVTIMEO, 0);
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

/* With it a blocking connect gives up as a non-blocking one does, and goes on by itself. */
void script_sndtimeo_connect(struct side *s)
{
    int filler = crowd(s);
    if (s->client) {
        int fd = tcp_socket(0);
        limit(fd, SO_SNDTIMEO, 60);
        say_connect(fd, &s->address);
        say_connect(fd, &s->address);
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

/* A full socket: each call that writes gives up, what it had begun is told. */
void script_sndtimeo_each(struct side *s)
{
    int fd = connected(s), file = file_of(1000);
    struct stream stream = stream_of(92);
    small_buffers(fd);
    if (s->client) {
        off_t at = 0;
        struct iovec v = { "x", 1 };
        static char much[300000];
        ssize_t part;
        limit(fd, SO_SNDTIMEO, 40);
        stream_make(&stream, much, sizeof much);
        part = send(fd, much, sizeof much, 0);
        say("part of much: %d", part > 0 && part < (ssize_t)sizeof much);
        stream_sent(&stream, part > 0 ? (size_t)part : 0);
        fill(fd, &stream);
        say_send(fd, "x", 0);
        said("write", write(fd, "x", 1));
        said("writev", writev(fd, &v, 1));
        said("sendfile", sendfile(fd, file, &at, 1));
        say("offset %d", (int)at);
        limit(fd, SO_SNDTIMEO, 0);
        tell(s, &stream.at, sizeof stream.at);
        meet(s);
        /* What it was in the middle of, first. */
        stream_make(&stream, much, 1);
        said("send", send(fd, much, 1, 0));
        stream_sent(&stream, 1);
    } else {
        uint64_t total;
        hear(s, &total, sizeof total);
        meet(s);
        stream_recv(&stream, fd, total + 1);
        say("everything is there");
    }
    meet(s);
}

/* ---- flags together ---- */

void script_flags_together(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        delivered(s, fd);
        say_recv(fd, 4, MSG_PEEK | MSG_WAITALL);
        say_recv(fd, 4, MSG_PEEK | MSG_TRUNC);
        say_recv(fd, 100, MSG_PEEK | MSG_DONTWAIT);
        say_recv(fd, 100, MSG_WAITALL | MSG_DONTWAIT);
        say_recv(fd, 100, MSG_WAITALL | MSG_DONTWAIT);
        say_recv(fd, 100, MSG_TRUNC | MSG_DONTWAIT);
        limit(fd, SO_RCVTIMEO, 40);
        say_recv(fd, 100, MSG_PEEK | MSG_WAITALL);
        delivered(s, fd);
        say_recv(fd, 100, MSG_WAITALL);
        delivered(s, fd);
        say_recv(fd, 3, MSG_TRUNC | MSG_WAITALL);
        say_recv(fd, 100, MSG_NOSIGNAL);
        meet(s);
        await(fd, POLLRDHUP);
        say_recv(fd, 100, MSG_PEEK | MSG_WAITALL);
        say_recv(fd, 100, MSG_TRUNC);
    } else {
        deliver(s, fd, "many flags");
        deliver(s, fd, "short");
        deliver(s, fd, "abcdef");
        meet(s);
        shutdown(fd, SHUT_WR);
    }
    meet(s);
}

/* MSG_DONTWAIT on a blocking socket that is full. */
void script_dontwait_send(struct side *s)
{
    int fd = connected(s);
    struct stream stream = stream_of(93);
    small_buffers(fd);
    if (s->client) {
        char data[100];
        fill(fd, &stream);
        said("send", send(fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL));
        said("again", send(fd, "x", 1, MSG_DONTWAIT));
        tell(s, &stream.at, sizeof stream.at);
        meet(s);
        stream_make(&stream, data, sizeof data);
        said("and then", send(fd, data, sizeof data, 0));
        say_close(fd);
    } else {
        uint64_t total;
        hear(s, &total, sizeof total);
        meet(s);
        stream_recv(&stream, fd, total + 100);
        say("everything is there");
        say_recv(fd, 1, 0);
    }
    meet(s);
}

/* ---- the smallest buffers that the kernel gives ---- */

static void smallest_buffers(int fd)
{
    int one = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &one, sizeof one) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &one, sizeof one))
        fail("setsockopt");
}

enum { SOME = 60000 };

static void through_smallest(struct side *s, bool blocking)
{
    int fd = blocking ? connected(s) : connected_nonblocking(s);
    smallest_buffers(fd);
    meet(s);
    if (s->client) {
        send_stream(fd, 94, SOME, 7000);
        recv_stream(fd, 95, SOME, 0);
        await(fd, POLLIN);
        say_recv(fd, 10, 0);
    } else {
        recv_stream(fd, 94, SOME, 0);
        send_stream(fd, 95, SOME, SOME);
        say_close(fd);
    }
    meet(s);
}

void script_smallest_buffers_blocking(struct side *s)
{
    through_smallest(s, true);
}

void script_smallest_buffers_nonblocking(struct side *s)
{
    through_smallest(s, false);
}

/* From the first segment on: the handshake goes through them as well. */
void script_smallest_buffers_connect(struct side *s)
{
    int fd;
    if (s->client) {
        fd = tcp_socket(SOCK_NONBLOCK);
        smallest_buffers(fd);
        say_connect(fd, &s->address);
        await(fd, POLLOUT);
        say_so_error(fd);
        send_stream(fd, 96, 20000, 3000);
        nonblocking(fd, false);
        say_recv(fd, 6, MSG_WAITALL);
    } else {
        smallest_buffers(s->listener);
        fd = accepted(s);
        recv_stream(fd, 96, 20000, 0);
        say_send(fd, "answer", 0);
    }
    meet(s);
}

/* Edge-triggered: an edge for each time that there is room, or something to read. */
void script_smallest_buffers_edge(struct side *s)
{
    int fd = connected_nonblocking(s);
    struct stream stream = stream_of(97);
    int ep = set_of(fd, EPOLLIN | EPOLLOUT | EPOLLET, 1);
    char data[2000];
    smallest_buffers(fd);
    meet(s);
    while (stream.at < SOME) {
        struct epoll_event event;
        if (epoll_wait(ep, &event, 1, SOON) != 1)
            fail("no edge after %llu bytes", (unsigned long long)stream.at);
        while (stream.at < SOME) {
            size_t n = SOME - stream.at < sizeof data ? SOME - stream.at : sizeof data;
            ssize_t done;
            if (s->client) {
                stream_make(&stream, data, n);
                done = send(fd, data, n, 0);
                if (done > 0)
                    stream_sent(&stream, (size_t)done);
            } else {
                done = recv(fd, data, n, 0);
                if (done > 0 && !stream_got(&stream, data, (size_t)done))
                    fail("wrong at %llu", (unsigned long long)stream.at);
            }
            if (done < 0 && errno == EAGAIN)
                break;
            if (done <= 0)
                fail("gave %zd at %llu", done, (unsigned long long)stream.at);
        }
    }
    say("all of it");
    if (s->client)
        shutdown(fd, SHUT_WR);
    meet(s);
}

/* ---- endings ---- */

/* Half closed by the server, then by the client, and the other way round; each hears the other's last words. */
static void half_close(struct side *s, bool first)
{
    int fd = connected(s);
    if (first) {
        say_send(fd, "I have said everything", 0);
        said("shutdown(WR)", shutdown(fd, SHUT_WR));
        meet(s);
        say_recv(fd, 100, 0);
        say_recv(fd, 100, 0);
        say_poll(fd, POLLIN | POLLOUT | POLLRDHUP, SOON);
    } else {
        meet(s);
        await(fd, POLLRDHUP);
        say_recv(fd, 100, 0);
        say_recv(fd, 100, 0);
        say_poll(fd, POLLIN | POLLRDHUP, SOON);
        say_send(fd, "so have I", 0);
        settle(fd);
        said("shutdown(WR)", shutdown(fd, SHUT_WR));
        await(fd, POLLHUP);
        say_poll(fd, POLLIN | POLLOUT | POLLRDHUP, SOON);
    }
    say_close(fd);
    meet(s);
}

void script_half_close_client_first(struct side *s)
{
    half_close(s, s->client);
}

void script_half_close_server_first(struct side *s)
{
    half_close(s, !s->client);
}

/* SIGPIPE and EPIPE, by every call that writes. */
void script_sigpipe_each(struct side *s)
{
    int fd = connected(s), file = file_of(10), ends[2];
    if (s->client) {
        struct iovec v = { "x", 1 };
        struct msghdr message = { .msg_iov = &v, .msg_iovlen = 1 };
        struct mmsghdr messages = { .msg_hdr = message };
        off_t at = 0;
        if (pipe(ends) || write(ends[1], "x", 1) != 1)
            fail("pipe");
        shutdown(fd, SHUT_WR);
        said("send", send(fd, "x", 1, 0));
        say_signals();
        said("write", write(fd, "x", 1));
        say_signals();
        said("writev", writev(fd, &v, 1));
        say_signals();
        said("sendto", sendto(fd, "x", 1, 0, NULL, 0));
        say_signals();
        said("sendmsg", sendmsg(fd, &message, 0));
        say_signals();
        said("sendmsg(NOSIGNAL)", sendmsg(fd, &message, MSG_NOSIGNAL));
        say_signals();
        said("sendmmsg", sendmmsg(fd, &messages, 1, 0));
        say_signals();
        said("sendfile", sendfile(fd, file, &at, 1));
        say_signals();
        said("splice", splice(ends[0], NULL, fd, NULL, 1, 0));
        say_signals();
        signal(SIGPIPE, SIG_IGN);
        said("send, ignored", send(fd, "x", 1, 0));
        signal(SIGPIPE, SIG_DFL);
        said("send(NOSIGNAL), deadly", send(fd, "x", 1, MSG_NOSIGNAL));
    }
    meet(s);
}
