/* Sending: vectors, files, flags, full sockets. */
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

/* Reads until the peer ends; one line with everything. */
static void say_all(int fd)
{
    size_t room = 1 << 20, have = 0;
    char *data = malloc(room);
    ssize_t got;
    while ((got = recv(fd, data + have, room - have, 0)) > 0 || (got < 0 && errno == EAGAIN && await(fd, POLLIN)))
        have += got > 0 ? (size_t)got : 0;
    say_bytes("everything", (ssize_t)have, data);
    said("then", got);
    free(data);
}

void script_write_kinds(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_write(fd, "write,");
        say_send(fd, "send,", 0);
        said("sendto", sendto(fd, "sendto,", 7, 0, NULL, 0));
        say_send(fd, "nosignal,", MSG_NOSIGNAL);
        say_send(fd, "dontwait,", MSG_DONTWAIT);
        say_send(fd, "eor,", MSG_EOR);
        shutdown(fd, SHUT_WR);
    } else {
        say_all(fd);
    }
    meet(s);
}

void script_write_zero_bytes(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        said("write(0)", write(fd, "", 0));
        said("send(0)", send(fd, "", 0, 0));
        said("send(NULL, 0)", send(fd, NULL, 0, 0));
        said("writev(none)", writev(fd, NULL, 0));
        say_send(fd, "x", 0);
        said("write(0)", write(fd, "", 0));
        shutdown(fd, SHUT_WR);
    } else {
        say_all(fd);
    }
    meet(s);
}

void script_writev(struct side *s)
{
    enum { MANY = 1024 };
    int fd = connected(s);
    if (s->client) {
        char digits[] = "0123456789";
        struct iovec v[MANY];
        for (int i = 0; i < MANY; i++)
            v[i] = (struct iovec){ digits + i % 10, i % 5 == 4 ? 0 : 1 };
        said("writev(1024)", writev(fd, v, MANY));
        said("writev(3)", writev(fd, v, 3));
        said("writev(empty ones)", writev(fd, (struct iovec[]){ { digits, 0 }, { NULL, 0 } }, 2));
        said("writev(-1 vectors)", writev(fd, v, -1));
        said("writev(1025 vectors)", writev(fd, v, 1025));
        said("writev(-1)", writev(-1, v, 1));
        said("writev(bad vectors)", writev(fd, (struct iovec *)8, 1));
        shutdown(fd, SHUT_WR);
    } else {
        say_all(fd);
    }
    meet(s);
}

/* Vectors whose sizes straddle every boundary that a record could have. */
void script_writev_uneven(struct side *s)
{
    static const size_t sizes[] = { 1, 16383, 1, 16384, 16385, 0, 5, 32767, 3, 12000 };
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    int fd = connected(s);
    size_t total = 0;
    for (int i = 0; i < COUNT; i++)
        total += sizes[i];
    if (s->client) {
        struct stream stream = stream_of(21);
        struct iovec v[COUNT];
        char *data = malloc(total), *at = data;
        stream_make(&stream, data, total);
        for (int i = 0; i < COUNT; i++) {
            v[i] = (struct iovec){ at, sizes[i] };
            at += sizes[i];
        }
        said("writev", writev(fd, v, COUNT));
        free(data);
    } else {
        recv_stream(fd, 21, total, 0);
    }
    meet(s);
}

void script_sendmsg(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        struct iovec v[3] = { { "scat", 4 }, { NULL, 0 }, { "tered", 5 } };
        struct msghdr m = { .msg_iov = v, .msg_iovlen = 3 };
        struct mmsghdr two[2] = { { m, 0 }, { m, 0 } };
        said("sendmsg", sendmsg(fd, &m, 0));
        m.msg_iovlen = 0;
        said("sendmsg(no vectors)", sendmsg(fd, &m, 0));
        m.msg_iovlen = 5000;
        said("sendmsg(5000 vectors)", sendmsg(fd, &m, 0));
        said("sendmsg(bad pointer)", sendmsg(fd, (struct msghdr *)8, 0));
        said("sendmmsg", sendmmsg(fd, two, 2, 0));
        say("%u %u", two[0].msg_len, two[1].msg_len);
        shutdown(fd, SHUT_WR);
    } else {
        say_all(fd);
    }
    meet(s);
}

/* An address on a connected TCP socket. */
void script_sendto_address(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        struct sockaddr_in other = s->address;
        said("sendto", sendto(fd, "to the peer", 11, MSG_NOSIGNAL, (struct sockaddr *)&other, sizeof other));
        shutdown(fd, SHUT_WR);
    } else {
        say_all(fd);
    }
    meet(s);
}

void script_pwritev2(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        struct iovec v = { "positioned", 10 };
        said("pwrite", pwrite(fd, "x", 1, 0));
        said("pwritev2(offset 0)", pwritev2(fd, &v, 1, 0, 0));
        said("pwritev2(offset -1)", pwritev2(fd, &v, 1, -1, 0));
        shutdown(fd, SHUT_WR);
    } else {
        say_all(fd);
    }
    meet(s);
}

static int file_of(size_t size)
{
    FILE *f = tmpfile();
    int fd = f ? dup(fileno(f)) : -1;
    struct stream stream = stream_of(33);
    char *data = malloc(size);
    stream_make(&stream, data, size);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
        fail("temporary file");
    free(data);
    fclose(f);
    return fd;
}

void script_sendfile(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        int file = file_of(100000);
        off_t at = 50000;
        said("sendfile(no offset)", sendfile(fd, file, NULL, 30000));
        say("file position %ld", (long)lseek(file, 0, SEEK_CUR));
        said("sendfile(offset)", sendfile(fd, file, &at, 20000));
        say("offset %ld, file position %ld", (long)at, (long)lseek(file, 0, SEEK_CUR));
        said("sendfile(to the end)", sendfile(fd, file, &at, 1000000));
        said("sendfile(at the end)", sendfile(fd, file, &at, 10));
        at = 200000;
        said("sendfile(beyond)", sendfile(fd, file, &at, 10));
        at = -1;
        said("sendfile(negative)", sendfile(fd, file, &at, 10));
        said("sendfile(0)", sendfile(fd, file, NULL, 0));
        said("sendfile(rest)", sendfile(fd, file, NULL, 1 << 20));
        said("sendfile(end)", sendfile(fd, file, NULL, 1 << 20));
        said("sendfile(bad file)", sendfile(fd, -1, NULL, 1));
        said("sendfile(bad socket)", sendfile(-1, file, NULL, 1));
        said("sendfile64", sendfile64(fd, file, &(off64_t){ 1 }, 5));
        shutdown(fd, SHUT_WR);
    } else {
        say_all(fd);
    }
    meet(s);
}

/* A socket that is full takes part of a file, and the position says how much. */
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
                full = true;
                await(fd, POLLOUT);
            } else if (sent <= 0) {
                fail("sendfile gave %zd at %ld", sent, (long)at);
            }
        }
        say("offsets %s; the socket %s", consistent ? "right" : "wrong", full ? "was full" : "was never full");
    } else {
        recv_stream(fd, 33, TOTAL, 0);
    }
    meet(s);
}

void script_splice_to_socket(struct side *s)
{
    int fd = connected(s), ends[2];
    if (pipe(ends))
        fail("pipe");
    if (s->client) {
        say_write(ends[1], "through a pipe");
        said("splice", splice(ends[0], NULL, fd, NULL, 7, 0));
        said("splice", splice(ends[0], NULL, fd, NULL, 100, SPLICE_F_MORE));
        close(ends[1]);
        said("splice", splice(ends[0], NULL, fd, NULL, 100, 0));
        shutdown(fd, SHUT_WR);
    } else {
        say_all(fd);
    }
    meet(s);
}

/* MSG_MORE and TCP_CORK hold nothing back for ever. */
void script_msg_more(struct side *s)
{
    int fd = connected(s), cork = 1;
    if (s->client) {
        say_send(fd, "head,", MSG_MORE);
        say_send(fd, "body;", 0);
        setsockopt(fd, IPPROTO_TCP, TCP_CORK, &cork, sizeof cork);
        say_option(fd, IPPROTO_TCP, TCP_CORK, "TCP_CORK");
        say_send(fd, "corked,", 0);
        cork = 0;
        setsockopt(fd, IPPROTO_TCP, TCP_CORK, &cork, sizeof cork);
        meet(s);
        say_send(fd, "more to come", MSG_MORE);
        shutdown(fd, SHUT_WR);
    } else {
        say_recv(fd, 17, MSG_WAITALL);
        meet(s);
        say_all(fd);
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

/* Many small writes, read in one go and in crumbs. */
void script_small_writes(struct side *s)
{
    int fd = connected(s), on = 1;
    if (s->client) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        send_stream(fd, 13, 30000, 10);
        meet(s);
        send_stream(fd, 14, 3000, 1);
    } else {
        recv_stream(fd, 13, 30000, 0);
        meet(s);
        recv_stream(fd, 14, 3000, 1000);
    }
    meet(s);
}

void script_send_efault(struct side *s)
{
    int fd = connected(s);
    const char *volatile nowhere = (const char *)8;
    if (s->client) {
        said("send(bad pointer)", send(fd, nowhere, 10, MSG_NOSIGNAL));
        said("write(bad pointer)", write(fd, nowhere, 10));
        said("writev(bad element)", writev(fd, &(struct iovec){ (void *)(uintptr_t)nowhere, 5 }, 1));
        say_send(fd, "unharmed", 0);
        shutdown(fd, SHUT_WR);
    } else {
        say_all(fd);
    }
    meet(s);
}

void script_send_errors(struct side *s)
{
    int fd = tcp_socket(0);
    if (s->client) {
        say_send(fd, "x", MSG_NOSIGNAL);
        say_send(fd, "x", 0);
        say_signals();
        say_send(-1, "x", 0);
        said("write(-1)", write(-1, "x", 1));
        said("shutdown(not connected)", shutdown(fd, SHUT_WR));
        said("shutdown(-1)", shutdown(-1, SHUT_WR));
        close(fd);
        say_send(fd, "x", 0);
    }
}
