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
