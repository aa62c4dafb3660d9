/* Receiving: short reads, vectors, flags, ends. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

/* A large message, a byte at a time. */
void script_read_single_bytes(struct side *s)
{
    enum { TOTAL = 40000 };
    int fd = connected(s);
    if (s->client) {
        recv_stream(fd, 1, TOTAL, 1);
        nonblocking(fd, true);
        say_recv(fd, 1, 0);
    } else {
        send_stream(fd, 1, TOTAL, TOTAL);
    }
    meet(s);
}

void script_read_short_then_rest(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        delivered(s, fd);
        say_read(fd, 1);
        say_read(fd, 4);
        say_recv(fd, 1, 0);
        say_read(fd, 100);
        say_read(fd, 100);
    } else {
        deliver(s, fd, "The quick brown fox");
    }
    meet(s);
}

/* Several sends, one read; a read that ends inside a later one. */
void script_read_over_several_sends(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        delivered(s, fd);
        delivered(s, fd);
        delivered(s, fd);
        say_read(fd, 8);
        say_read(fd, 2);
        say_read(fd, 100);
        say_read(fd, 100);
    } else {
        deliver(s, fd, "one,");
        deliver(s, fd, "two,three,");
        deliver(s, fd, "four");
    }
    meet(s);
}

/*
 * All of it has come, and is read in pieces that end now just before the end of a message of the sender's, now just behind, now in its
 * middle: while anything is left, poll says so, and a look at it and FIONREAD agree.
 */
void script_read_pieces_stay_readable(struct side *s)
{
    enum { TOTAL = 60000, FIRST = 268, RECORD = 16384 };
    static const size_t pieces[] = { 200,  60, 8,    RECORD - 1, 1, RECORD - 700, 700, RECORD - 1500,
                                     1499, 1,  1022, 999,        3, 5000,         2,   65536 };
    static char data[TOTAL], peeked[64];
    struct stream stream = stream_of(77);
    int fd = connected_nonblocking(s), queued = 0;
    if (!s->client) {
        stream_make(&stream, data, TOTAL);
        said("a head", send(fd, data, FIRST, 0) == FIRST ? 0 : -1);
        said("the rest", send(fd, data + FIRST, TOTAL - FIRST, 0) == TOTAL - FIRST ? 0 : -1);
        while (ioctl(fd, TIOCOUTQ, &queued) == 0 && queued > 0) /* until it is the receiver's */
            usleep(1000);
    }
    meet(s);
    for (size_t i = 0; s->client && i < sizeof pieces / sizeof pieces[0]; i++) {
        size_t left = TOTAL - stream.at, want = left < pieces[i] ? left : pieces[i];
        size_t look = left < sizeof peeked ? left : sizeof peeked;
        bool same = say_poll(fd, POLLIN, 0) & POLLIN;
        queued = 0;
        same = same && recv(fd, peeked, sizeof peeked, MSG_PEEK) == (ssize_t)look;
        same = same && ioctl(fd, FIONREAD, &queued) == 0 && queued > 0;
        same = same && recv(fd, data, pieces[i], 0) == (ssize_t)want &&
               memcmp(data, peeked, look < want ? look : want) == 0;
        say("%zu: %s", pieces[i], same && stream_got(&stream, data, want) ? "right" : "wrong");
    }
    if (s->client)
        say("%zu of %d left, poll %d", TOTAL - (size_t)stream.at, TOTAL, say_poll(fd, POLLIN, 0));
    meet(s);
}

void script_read_zero_bytes(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        char byte;
        said("read(0)", read(fd, &byte, 0));
        said("recv(0)", recv(fd, &byte, 0, 0));
        delivered(s, fd);
        said("read(0)", read(fd, &byte, 0));
        said("recv(0)", recv(fd, &byte, 0, 0));
        said("recv(0, PEEK)", recv(fd, &byte, 0, MSG_PEEK));
        said("readv(none)", readv(fd, NULL, 0));
        say_read(fd, 100);
    } else {
        deliver(s, fd, "data");
    }
    meet(s);
}

void script_readv_many(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        char text[32] = { 0 };
        struct iovec v[12];
        for (int i = 0; i < 12; i++)
            v[i] = (struct iovec){ text + i, i % 3 == 0 ? 0 : 1 }; /* empty ones among them */
        delivered(s, fd);
        said("readv", readv(fd, v, 12));
        say("text \"%c%c%c%c\"", text[1], text[2], text[4], text[5]);
        v[0] = (struct iovec){ text, 3 };
        v[1] = (struct iovec){ text + 3, sizeof text - 3 };
        say_bytes("readv", readv(fd, v, 2), text);
        said("readv", readv(fd, v, 2));
    } else {
        deliver(s, fd, "abcdefghijklmnopqrstuvwxyz");
    }
    meet(s);
}

void script_readv_errors(struct side *s)
{
    int fd = connected_nonblocking(s);
    char text[4];
    struct iovec one = { text, sizeof text };
    struct iovec *many = calloc(1100, sizeof *many);
    said("readv(-1 vectors)", readv(fd, &one, -1));
    said("readv(1100 vectors)", readv(fd, many, 1100));
    said("readv(bad vectors)", readv(fd, (struct iovec *)8, 1));
    said("readv(-1)", readv(-1, &one, 1));
    free(many);
    meet(s);
}

void script_recvmsg(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        char text[32] = { 0 }, control[128];
        struct sockaddr_in from;
        struct iovec v[3] = { { text, 2 }, { text + 2, 0 }, { text + 2, 20 } };
        struct msghdr m = { &from, sizeof from, v, 3, control, sizeof control, 0x7777 };
        said("recvmsg", recvmsg(fd, &m, 0));
        delivered(s, fd);
        say_bytes("recvmsg", recvmsg(fd, &m, MSG_PEEK), text);
        say_bytes("recvmsg", recvmsg(fd, &m, 0), text);
        say("name %u control %zu flags 0x%x", m.msg_namelen, m.msg_controllen, (unsigned)m.msg_flags);
        m.msg_iovlen = 0;
        said("recvmsg(no vectors)", recvmsg(fd, &m, 0));
        said("recvmsg(NULL)", recvmsg(fd, (struct msghdr *)8, 0));
        m.msg_iovlen = 5000;
        said("recvmsg(5000 vectors)", recvmsg(fd, &m, 0));
    } else {
        deliver(s, fd, "by message");
    }
    meet(s);
}

void script_recvfrom(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        char text[32];
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        delivered(s, fd);
        say_bytes("recvfrom", recvfrom(fd, text, 4, 0, (struct sockaddr *)&from, &length), text);
        say("length %u", length);
        say_bytes("recvfrom", recvfrom(fd, text, 30, 0, NULL, NULL), text);
        said("recvfrom", recvfrom(fd, text, 30, 0, (struct sockaddr *)&from, &length));
    } else {
        deliver(s, fd, "from somewhere");
    }
    meet(s);
}

void script_recvmmsg(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        char text[2][8] = { { 0 } };
        struct iovec v[2] = { { text[0], 3 }, { text[1], 7 } };
        struct mmsghdr m[2] = { { { .msg_iov = &v[0], .msg_iovlen = 1 }, 0 },
                                { { .msg_iov = &v[1], .msg_iovlen = 1 }, 0 } };
        delivered(s, fd);
        said("recvmmsg", recvmmsg(fd, m, 2, 0, NULL));
        say("%u \"%.3s\" %u \"%.7s\"", m[0].msg_len, text[0], m[1].msg_len, text[1]);
        said("recvmmsg", recvmmsg(fd, m, 2, 0, NULL));
    } else {
        deliver(s, fd, "abcdefgh");
    }
    meet(s);
}

/* Of any socket: ours, and one that is none of ours. */
static void say_received_at_once(const char *what, int fd, struct mmsghdr *m, unsigned n)
{
    say("%s: %d", what, recvmmsg(fd, m, n, 0, NULL));
}

/* The limit is looked at after each message; no more than 1024 of them go at once, but as many as there is room for come. */
void script_recvmmsg_limits(struct side *s)
{
    enum { MANY = 1030 };
    static char text[MANY];
    static struct iovec v[MANY];
    static struct mmsghdr m[MANY];
    int fd = connected(s);
    struct timespec odd[] = { { -1, 0 }, { 0, -1 }, { 0, 1000000000 } }, none = { 0, 0 },
                    long_one = { 60, 0 };
    for (int i = 0; i < MANY; i++) {
        v[i] = (struct iovec){ &text[i], 1 };
        m[i] = (struct mmsghdr){ { .msg_iov = &v[i], .msg_iovlen = 1 }, 0 };
    }
    if (s->client) {
        for (int i = 0; i < 3; i++)
            said("recvmmsg(odd limit)", recvmmsg(fd, m, 2, 0, &odd[i]));
        delivered(s, fd);
        said("recvmmsg(no time)", recvmmsg(fd, m, 2, 0, &none));
        said("recvmmsg(a minute)", recvmmsg(fd, m, 2, 0, &long_one));
        say("some of it is left %d", long_one.tv_sec > 30 && long_one.tv_sec < 60);
        said("sendmmsg(1030)", sendmmsg(fd, m, MANY, 0));
        said("send", send(fd, text, 6, 0));
    } else {
        int pair[2];
        pair_of(pair);
        deliver(s, fd, "abcdefgh");
        say_received_at_once("a connection", fd, m, MANY);
        said("write", write(pair[0], text, MANY));
        say_received_at_once("a pair", pair[1], m, MANY);
        close(pair[0]);
        close(pair[1]);
    }
    meet(s);
}

void script_preadv2(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        char text[32];
        struct iovec v = { text, sizeof text };
        delivered(s, fd);
        said("pread", pread(fd, text, 3, 0));
        said("preadv2(offset 0)", preadv2(fd, &v, 1, 0, 0));
        say_bytes("preadv2(offset -1)", preadv2(fd, &v, 1, -1, 0), text);
        said("lseek", lseek(fd, 0, SEEK_CUR));
    } else {
        deliver(s, fd, "positioned");
    }
    meet(s);
}

/* A bad pointer is EFAULT, and the data is still there. */
void script_recv_efault(struct side *s)
{
    int fd = connected_nonblocking(s);
    char *volatile nowhere = (char *)8;
    if (s->client) {
        said("recv(bad pointer)", recv(fd, nowhere, 10, 0));
        delivered(s, fd);
        said("recv(bad pointer)", recv(fd, nowhere, 10, 0));
        said("read(bad pointer)", read(fd, nowhere, 10));
        say_recv(fd, 100, 0);
    } else {
        deliver(s, fd, "still here");
    }
    meet(s);
}

void script_recv_errors(struct side *s)
{
    int fd = tcp_socket(SOCK_NONBLOCK);
    char byte;
    if (s->client) {
        said("recv(not connected)", recv(fd, &byte, 1, 0));
        said("read(not connected)", read(fd, &byte, 1));
        said("recv(PEEK, not connected)", recv(fd, &byte, 1, MSG_PEEK));
        said("recv(-1)", recv(-1, &byte, 1, 0));
        said("read(-1)", read(-1, &byte, 1));
        say_poll(fd, POLLIN | POLLOUT, 0);
    }
}

/* The whole end: data, then 0 for ever. */
void script_eof_repeated(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        meet(s);
        for (int i = 0; i < 4; i++)
            say_recv(fd, 100, 0);
        say_read(fd, 100);
        nonblocking(fd, true);
        say_recv(fd, 100, 0);
        say_poll(fd, POLLIN, SOON);
    } else {
        send(fd, "bye", 3, 0);
        say_close(fd);
        meet(s);
    }
    meet(s);
}

/* What comes with the end is no data: the buffer keeps what was in it. */
void script_recv_leaves_the_rest(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        char text[] = "----------------";
        meet(s);
        said("recv", recv(fd, text, sizeof text - 1, MSG_WAITALL));
        say("%s", text);
    } else {
        send(fd, "short", 5, 0);
        say_close(fd);
        meet(s);
    }
    meet(s);
}

/* A pipe takes what the socket brings, without the program's memory between. */
void script_splice_from_socket(struct side *s)
{
    int fd = connected_nonblocking(s), ends[2];
    if (pipe(ends))
        fail("pipe");
    if (s->client) {
        said("splice", splice(fd, NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK));
        delivered(s, fd);
        said("splice", splice(fd, NULL, ends[1], NULL, 4, SPLICE_F_NONBLOCK));
        said("splice", splice(fd, NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK));
        say_read(ends[0], 100);
        meet(s);
        await(fd, POLLRDHUP);
        said("splice", splice(fd, NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK));
    } else {
        deliver(s, fd, "spliced bytes");
        shutdown(fd, SHUT_WR);
        meet(s);
    }
    meet(s);
}
