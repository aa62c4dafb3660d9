/* Sockets that are full, and writes that are larger than they can hold. */
#include "trace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

/* A socket that is full takes part of a file, and the position says how much. Nobody reads before it is. */
void script_sendfile_nonblocking(struct side *s)
{
    enum { TOTAL = 3 * 1024 * 1024 };
    int fd = connected_nonblocking(s);
    small_buffers(fd);
    if (s->client) {
        int file = file_of(TOTAL);
        off_t at = 0, before;
        bool consistent = true, full = false;
        while (at < TOTAL) {
            ssize_t sent;
            before = at;
            sent = sendfile(fd, file, &at, (size_t)(TOTAL - at));
            consistent = consistent && at - before == (sent > 0 ? sent : 0);
            if (sent < 0 && errno == EAGAIN) {
                if (!full)
                    meet(s);
                full = true;
                await(fd, POLLOUT);
            } else if (sent <= 0) {
                fail("sendfile gave %zd at %ld", sent, (long)at);
            }
        }
        say("offsets %s", consistent ? "right" : "wrong");
        if (!full)
            fail("the socket was never full");
    } else {
        meet(s);
        recv_stream(fd, 33, TOTAL, 0);
    }
    meet(s);
}

void script_sndtimeo(struct side *s)
{
    int fd = connected(s);
    struct timeval limit = { 0, 40000 };
    struct stream stream = stream_of(8);
    small_buffers(fd);
    if (s->client) {
        said("setsockopt", setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
        fill(fd, &stream);
        say_send(fd, "no room for this", 0);
        say_send(fd, "nor for this", 0);
    }
    meet(s);
}

/* 1 MiB in pieces of 64 KiB into a socket that was full, while the reader takes odd amounts. */
void script_full_socket_odd_reads(struct side *s)
{
    enum { TOTAL = 1 << 20, PIECE = 65536 };
    int fd = connected_nonblocking(s);
    struct stream stream = stream_of(4);
    small_buffers(fd);
    if (s->client) {
        static char data[PIECE];
        bool full = fill(fd, &stream) > 0;
        say("full %d", full);
        say_poll(fd, POLLOUT, 0);
        said("send to a full socket", send(fd, "x", 1, MSG_NOSIGNAL) == -1 && errno == EAGAIN ? 0 : 1);
        meet(s);
        while (stream.at < TOTAL) {
            size_t n = TOTAL - stream.at < PIECE ? TOTAL - stream.at : PIECE;
            ssize_t sent;
            stream_make(&stream, data, n);
            sent = send(fd, data, n, 0);
            if (sent > 0)
                stream_sent(&stream, (size_t)sent);
            else if (sent < 0 && errno == EAGAIN)
                await(fd, POLLOUT);
            else
                fail("send gave %zd", sent);
        }
        shutdown(fd, SHUT_WR);
    } else {
        meet(s);
        recv_stream(fd, 4, TOTAL, 0);
        await(fd, POLLIN);
        say_recv(fd, 10, 0);
    }
    meet(s);
}

/* After a partial write the program goes on from where it was told, byte by byte. */
void script_partial_write_continued(struct side *s)
{
    enum { TOTAL = 400000 };
    int fd = connected_nonblocking(s);
    struct stream stream = stream_of(6);
    small_buffers(fd);
    if (s->client) {
        uint64_t was;
        char byte;
        fill(fd, &stream);
        meet(s);
        was = stream.at;
        for (int i = 0; i < 500; i++) {
            stream_make(&stream, &byte, 1);
            await(fd, POLLOUT);
            if (send(fd, &byte, 1, 0) == 1)
                stream_sent(&stream, 1);
        }
        say("single bytes went: %d", stream.at > was);
        while (stream.at < TOTAL) {
            stream_make(&stream, &byte, 1);
            if (send(fd, &byte, 1, 0) == 1)
                stream_sent(&stream, 1);
            else
                await(fd, POLLOUT);
        }
        shutdown(fd, SHUT_WR);
        tell(s, &stream.at, sizeof stream.at);
    } else {
        struct stream got = stream_of(6);
        uint64_t total;
        char data[777];
        ssize_t n;
        meet(s);
        while ((n = recv(fd, data, sizeof data, 0)) != 0)
            if (n < 0 && errno == EAGAIN)
                await(fd, POLLIN);
            else if (n < 0 || !stream_got(&got, data, (size_t)n))
                fail("wrong at %llu", (unsigned long long)got.at);
        hear(s, &total, sizeof total);
        say("received all that was sent: %d", got.at == total);
    }
    meet(s);
}

/* Until the end: all of the stream that was sent, and then exactly these bytes, of which the sender tells the first. */
static void recv_filled(struct side *s, int fd, char *rest, size_t n)
{
    struct stream got = stream_of(6);
    uint64_t filled, at = 0;
    char data[777];
    ssize_t here;
    hear(s, &filled, sizeof filled);
    if (n > 0)
        hear(s, rest, 1);
    while ((here = recv(fd, data, sizeof data, 0)) != 0) {
        size_t old;
        if (here < 0) {
            if (errno != EAGAIN)
                fail("recv gave %zd", here);
            await(fd, POLLIN);
            continue;
        }
        old = at >= filled ? 0 : filled - at < (uint64_t)here ? (size_t)(filled - at) : (size_t)here;
        if (old > 0 && !stream_got(&got, data, old))
            fail("wrong at %llu of %llu", (unsigned long long)got.at, (unsigned long long)filled);
        for (size_t i = old; i < (size_t)here; i++)
            if (at + i - filled >= n || data[i] != rest[at + i - filled])
                fail("byte %llu behind what was sent is wrong", (unsigned long long)(at + i - filled));
        at += (uint64_t)here;
    }
    say("received all that was sent, and nothing else: %d", at == filled + n);
}

/* A write was partial, and the program sends other bytes than the rest: those arrive, and nothing of the rest. */
void script_partial_write_other_bytes(struct side *s)
{
    static char other[100000];
    int fd = connected_nonblocking(s);
    struct stream stream = stream_of(6);
    small_buffers(fd);
    if (s->client) {
        size_t at = 0;
        fill(fd, &stream);
        stream_make(&stream, other, 1);
        other[0] = (char)~other[0]; /* never what would have been next */
        tell(s, &stream.at, sizeof stream.at);
        tell(s, other, 1);
        while (at < sizeof other) {
            ssize_t sent = send(fd, other + at, sizeof other - at, MSG_NOSIGNAL);
            if (sent > 0)
                at += (size_t)sent;
            else if (errno == EAGAIN)
                await(fd, POLLOUT);
            else
                fail("send gave %zd", sent);
        }
        shutdown(fd, SHUT_WR);
    } else {
        recv_filled(s, fd, other, sizeof other);
    }
    meet(s);
}

/* The same, and the program says nothing more. */
void script_partial_write_left(struct side *s)
{
    int fd = connected_nonblocking(s);
    struct stream stream = stream_of(6);
    small_buffers(fd);
    if (s->client) {
        fill(fd, &stream);
        said("shutdown", shutdown(fd, SHUT_WR));
        tell(s, &stream.at, sizeof stream.at);
    } else {
        recv_filled(s, fd, NULL, 0);
    }
    meet(s);
}

/* A blocking write of far more than the buffers hold is complete when it returns. */
void script_blocking_write_large(struct side *s)
{
    enum { TOTAL = 5 * 1024 * 1024 };
    int fd = connected(s);
    small_buffers(fd);
    if (s->client) {
        struct stream stream = stream_of(2);
        char *data = malloc(TOTAL);
        struct iovec v[2] = { { data, 1000001 }, { data + 1000001, TOTAL - 1000001 } };
        stream_make(&stream, data, TOTAL);
        said("write", write(fd, data, TOTAL));
        said("writev", writev(fd, v, 2));
        free(data);
    } else {
        recv_stream(fd, 2, TOTAL, 30000);
        recv_stream(fd, 2, TOTAL, 0);
    }
    meet(s);
}
