/* MSG_ZEROCOPY: each call that sent something is told of once, in order, by the error queue, which poll shows. */
#include "trace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h>

#include "base/banned.h"
#include "scripts.h"

static void ask_for_it(int fd)
{
    int on = 1;
    said("SO_ZEROCOPY", setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on));
    say_option(fd, SOL_SOCKET, SO_ZEROCOPY, "SO_ZEROCOPY");
}

/* What one message of the error queue tells: calls *from to *to. False: there is none. */
static bool reap(int fd, uint32_t *from, uint32_t *to, unsigned *code)
{
    union {
        struct cmsghdr head;
        char room[256];
    } control;
    char byte;
    struct iovec v = { &byte, 1 };
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    struct sock_extended_err e;
    ssize_t got = recvmsg(fd, &m, MSG_ERRQUEUE);
    if (got < 0)
        return false;
    if (got != 0 || !(m.msg_flags & MSG_ERRQUEUE) || !CMSG_FIRSTHDR(&m))
        fail("a message of %zd bytes, flags 0x%x", got, (unsigned)m.msg_flags);
    memcpy(&e, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof e);
    if (e.ee_errno != 0 || e.ee_origin != SO_EE_ORIGIN_ZEROCOPY)
        fail("errno %u of origin %u", e.ee_errno, e.ee_origin);
    *from = e.ee_info, *to = e.ee_data, *code = e.ee_code;
    return true;
}

/* Until as many calls are told of as there were; how many messages that takes is the kernel's timing. */
static void say_told(int fd, uint32_t calls)
{
    uint32_t next = 0, from, to;
    unsigned code = SO_EE_CODE_ZEROCOPY_COPIED;
    bool copied = true;
    while (next < calls) {
        await(fd, POLLERR);
        if (!reap(fd, &from, &to, &code))
            fail("poll told an error, and the queue is empty");
        if (from != next || to < from || to >= calls)
            fail("calls %u to %u are told of, where %u is the next of %u", from, to, next, calls);
        copied = copied && code == SO_EE_CODE_ZEROCOPY_COPIED;
        next = to + 1;
    }
    say("each call is told of, and that it copied: %d", copied);
    errno = 0;
    said("recvmsg", recv(fd, &code, sizeof code, MSG_ERRQUEUE));
    say_poll(fd, POLLIN, NOTHING);
    say_so_error(fd);
}

static ssize_t say_message(int fd, const char *text)
{
    struct iovec v = { (void *)(uintptr_t)text, strlen(text) };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
    return said("sendmsg", sendmsg(fd, &m, MSG_ZEROCOPY));
}

/* Three calls, a fourth that does not ask, and a fifth. */
static void say_some(struct side *s, int fd)
{
    say_send(fd, "first", MSG_ZEROCOPY);
    say_send(fd, "2", MSG_ZEROCOPY);
    say_message(fd, "third");
    meet(s);
    say_told(fd, 3);
    say_send(fd, "not asked", 0);
    say_send(fd, "", MSG_ZEROCOPY);
    settle(fd);
    say_poll(fd, POLLIN, NOTHING);
    meet(s);
    say_recv(fd, 100, 0);
}

static void hear_some(struct side *s, int fd)
{
    say_recv(fd, 11, MSG_WAITALL);
    meet(s);
    meet(s);
    say_recv(fd, 9, MSG_WAITALL);
    say_send(fd, "answer", 0);
}

void script_zerocopy(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        ask_for_it(fd);
        say_some(s, fd);
    } else {
        hear_some(s, fd);
    }
    meet(s);
}

void script_zerocopy_set_before(struct side *s)
{
    int fd;
    if (s->client) {
        fd = tcp_socket(0);
        ask_for_it(fd);
        say_connect(fd, &s->address);
        say_some(s, fd);
    } else {
        fd = accepted(s);
        hear_some(s, fd);
    }
    meet(s);
}

/* A listener's children have what it has. */
void script_zerocopy_accepted(struct side *s)
{
    int fd;
    if (s->client) {
        meet(s);
        fd = tcp_socket(0);
        say_connect(fd, &s->address);
        hear_some(s, fd);
    } else {
        ask_for_it(s->listener);
        meet(s);
        fd = accepted(s);
        say_option(fd, SOL_SOCKET, SO_ZEROCOPY, "SO_ZEROCOPY");
        say_some(s, fd);
    }
    meet(s);
}

/* Without the option, the flag is nothing. */
void script_zerocopy_not_set(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_send(fd, "question", MSG_ZEROCOPY);
        settle(fd);
        say_poll(fd, POLLIN | POLLOUT, SOON);
        said("recv", recv(fd, NULL, 0, MSG_ERRQUEUE));
        meet(s);
        say_recv(fd, 100, 0);
    } else {
        say_recv(fd, 8, MSG_WAITALL);
        meet(s);
        say_send(fd, "answer", 0);
    }
    meet(s);
}

/* Both speak before either hears, on sockets that do not wait. */
void script_zerocopy_first_words(struct side *s)
{
    char text[6];
    size_t have = 0;
    int fd, tries = 0;
    if (s->client) {
        fd = tcp_socket(0);
        ask_for_it(fd);
        say_connect(fd, &s->address);
    } else {
        fd = accepted(s);
        ask_for_it(fd);
    }
    nonblocking(fd, true);
    while (send(fd, "hello!", 6, MSG_ZEROCOPY) != 6) {
        if (errno != EAGAIN || tries++ > SOON)
            fail("send");
        poll(NULL, 0, 1);
    }
    while (have < sizeof text) {
        ssize_t got = recv(fd, text + have, sizeof text - have, 0);
        have += got > 0 ? (size_t)got : 0;
        if (got < 0 && errno == EAGAIN)
            await(fd, POLLIN);
    }
    say_bytes("heard", (ssize_t)have, text);
    say_told(fd, 1);
    meet(s);
}

/* Until there is no more room, and on: the parts of a write count, and what was refused does not. */
void script_zerocopy_full(struct side *s)
{
    enum { TOTAL = 700000, PIECE = 50000 };
    int fd = connected_nonblocking(s);
    small_buffers(fd);
    if (s->client) {
        static char all[TOTAL]; /* what was sent stays as it was until it is told of */
        struct stream stream = stream_of(5);
        size_t at = 0;
        uint32_t calls = 0, told = 0, from, to;
        unsigned code;
        ask_for_it(fd);
        stream_make(&stream, all, sizeof all);
        meet(s);
        while (at < TOTAL) {
            ssize_t put = send(fd, all + at, TOTAL - at < PIECE ? TOTAL - at : PIECE, MSG_ZEROCOPY);
            if (put < 0 && errno != EAGAIN && errno != ENOBUFS)
                fail("send");
            calls += put > 0;
            at += put > 0 ? (size_t)put : 0;
            while (reap(fd, &from, &to, &code)) {
                if (from != told || to < from)
                    fail("calls %u to %u are told of, where %u is the next", from, to, told);
                told = to + 1;
            }
            if (put < 0)
                await(fd, POLLOUT);
        }
        while (told < calls) {
            await(fd, POLLERR);
            while (reap(fd, &from, &to, &code))
                told = to + 1;
        }
        say("every call that sent something is told of: %d", told == calls);
        meet(s);
    } else {
        meet(s);
        recv_stream(fd, 5, TOTAL, 3000);
        meet(s);
    }
}

/* One call that waits for room is one call. */
void script_zerocopy_large(struct side *s)
{
    enum { TOTAL = 3000000 };
    int fd = connected(s);
    small_buffers(fd);
    if (s->client) {
        static char block[TOTAL];
        struct stream stream = stream_of(6);
        ask_for_it(fd);
        stream_make(&stream, block, sizeof block);
        meet(s);
        said("send", send(fd, block, sizeof block, MSG_ZEROCOPY));
        meet(s);
        say_told(fd, 1);
    } else {
        meet(s);
        recv_stream(fd, 6, TOTAL, 100000);
        meet(s);
    }
    meet(s);
}
