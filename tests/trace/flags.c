/* What the flags of recv and the options of reading mean. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

static void say_fionread(int fd)
{
    int n = -1;
    said("ioctl(FIONREAD)", ioctl(fd, FIONREAD, &n));
    say("FIONREAD %d", n);
}

void script_peek(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        say_recv(fd, 10, MSG_PEEK);
        delivered(s, fd);
        say_recv(fd, 100, MSG_PEEK);
        say_recv(fd, 3, MSG_PEEK);
        say_recv(fd, 3, 0);
        say_recv(fd, 2, MSG_PEEK);
        say_recv(fd, 100, MSG_PEEK);
        say_poll(fd, POLLIN, SOON);
        say_recv(fd, 100, 0);
        say_recv(fd, 100, MSG_PEEK);
        say_poll(fd, POLLIN, NOTHING);
    } else {
        deliver(s, fd, "peekaboo");
    }
    meet(s);
}

/* A peek sees what several sends brought, and new data after an earlier peek. */
void script_peek_over_several_sends(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        delivered(s, fd);
        say_recv(fd, 100, MSG_PEEK);
        delivered(s, fd);
        delivered(s, fd);
        say_recv(fd, 100, MSG_PEEK);
        say_recv(fd, 6, MSG_PEEK);
        say_recv(fd, 6, 0);
        say_recv(fd, 100, MSG_PEEK);
        say_recv(fd, 100, 0);
    } else {
        deliver(s, fd, "one,");
        deliver(s, fd, "two,");
        deliver(s, fd, "three");
    }
    meet(s);
}

void script_peek_at_end(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        meet(s);
        await(fd, POLLRDHUP);
        say_recv(fd, 100, MSG_PEEK);
        say_recv(fd, 100, 0);
        say_recv(fd, 100, MSG_PEEK);
        say_recv(fd, 100, 0);
    } else {
        send(fd, "end", 3, 0);
        shutdown(fd, SHUT_WR);
        settle(fd);
        meet(s);
    }
    meet(s);
}

void script_waitall(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        meet(s);
        say_recv(fd, 12, MSG_WAITALL);
        nonblocking(fd, true);
        delivered(s, fd);
        say_recv(fd, 100, MSG_WAITALL);
        nonblocking(fd, false);
        meet(s);
        meet(s);
        say_recv(fd, 100, MSG_WAITALL);
        say_recv(fd, 100, MSG_WAITALL);
    } else {
        send(fd, "half a", 6, 0);
        settle(fd);
        meet(s);
        send(fd, " dozen", 6, 0);
        deliver(s, fd, "not all");
        meet(s);
        send(fd, "ends early", 10, 0);
        shutdown(fd, SHUT_WR);
        settle(fd);
        meet(s);
    }
    meet(s);
}

void script_waitall_large(struct side *s)
{
    enum { TOTAL = 300000 };
    int fd = connected(s);
    if (s->client) {
        char *data = malloc(TOTAL);
        say_bytes("recv(WAITALL)", recv(fd, data, TOTAL, MSG_WAITALL), data);
        free(data);
    } else {
        send_stream(fd, 3, TOTAL, 9999);
    }
    meet(s);
}

/* MSG_DONTWAIT on a blocking socket. */
void script_dontwait(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_recv(fd, 10, MSG_DONTWAIT);
        delivered(s, fd);
        say_recv(fd, 2, MSG_DONTWAIT);
        say_recv(fd, 10, MSG_DONTWAIT);
        say_recv(fd, 10, MSG_DONTWAIT);
        say_recv(fd, 10, MSG_DONTWAIT | MSG_PEEK);
    } else {
        deliver(s, fd, "now or never");
    }
    meet(s);
}

/* On TCP, MSG_TRUNC throws the bytes away. */
void script_trunc(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        delivered(s, fd);
        say_recv(fd, 4, MSG_TRUNC);
        char kept[] = "kept";
        said("recv(4, PEEK | TRUNC)", recv(fd, kept, 4, MSG_PEEK | MSG_TRUNC));
        say("%s", kept);
        said("recv(NULL, 3, TRUNC)", recv(fd, NULL, 3, MSG_TRUNC));
        say_recv(fd, 100, 0);
        say_recv(fd, 100, MSG_TRUNC);
    } else {
        deliver(s, fd, "drop this keep that");
    }
    meet(s);
}

/* TCP_INQ: each message tells how much is behind it. */
static void say_inq(int fd, size_t n, size_t room)
{
    char data[100];
    _Alignas(struct cmsghdr) char control[64];
    struct iovec part = { data, n };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room
    };
    const struct cmsghdr *c;
    int queued;
    said("recvmsg", recvmsg(fd, &message, 0));
    say("control %zu flags 0x%x", message.msg_controllen, (unsigned)message.msg_flags);
    c = CMSG_FIRSTHDR(&message);
    if (!c)
        return;
    memcpy(&queued, CMSG_DATA(c), sizeof queued);
    say("level %d type %d queued %d", c->cmsg_level, c->cmsg_type, queued);
}

void script_inq(struct side *s)
{
    int fd = connected_nonblocking(s), on = 1;
    if (s->client) {
        delivered(s, fd);
        say_inq(fd, 1, 64);
        said("TCP_INQ", setsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, sizeof on));
        say_inq(fd, 4, 64);
        say_inq(fd, 2, 4);
        say_inq(fd, 1, CMSG_LEN(sizeof(int)));
        say_inq(fd, 100, 64);
        say_inq(fd, 100, 64);
        delivered(s, fd);
        say_inq(fd, 100, 64);
    } else {
        deliver(s, fd, "some bytes of one message");
        meet(s);
        shutdown(fd, SHUT_WR);
        settle(fd);
        meet(s);
    }
    meet(s);
}

void script_fionread(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        say_fionread(fd);
        delivered(s, fd);
        say_fionread(fd);
        say_recv(fd, 5, 0);
        say_fionread(fd);
        say_recv(fd, 3, MSG_PEEK);
        say_fionread(fd);
        say_recv(fd, 100, 0);
        say_fionread(fd);
        meet(s);
        await(fd, POLLRDHUP);
        say_fionread(fd);
        say_recv(fd, 1, 0);
    } else {
        deliver(s, fd, "count my bytes");
        meet(s);
        shutdown(fd, SHUT_WR);
    }
    meet(s);
}

void script_fionread_several_sends(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        delivered(s, fd);
        delivered(s, fd);
        say_fionread(fd);
        say_recv(fd, 6, 0);
        say_fionread(fd);
        say_recv(fd, 6, 0);
        say_fionread(fd);
    } else {
        deliver(s, fd, "12345");
        deliver(s, fd, "678901");
    }
    meet(s);
}

/* A server that never waits: it asks how much there is, and sleeps. */
void script_fionread_alone(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        say_send(fd, "is anybody there", 0);
        meet(s);
    } else {
        int fd = accepted(s), n = 0;
        for (int tries = 0; n == 0 && tries < SOON; tries++) {
            if (ioctl(fd, FIONREAD, &n))
                fail("FIONREAD");
            if (n == 0)
                poll(NULL, 0, 1);
        }
        say("there are some: %d", n > 0);
        meet(s);
    }
}

void script_rcvtimeo(struct side *s)
{
    int fd = connected(s);
    struct timeval limit = { 0, 30000 };
    if (s->client) {
        said("setsockopt", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
        say_recv(fd, 10, 0);
        say_read(fd, 10);
        delivered(s, fd);
        say_recv(fd, 2, 0);
        say_recv(fd, 10, MSG_WAITALL);
        say_recv(fd, 10, MSG_WAITALL);
    } else {
        deliver(s, fd, "late");
    }
    meet(s);
}

/* A blocked recv comes back when data does, before its time-out. */
void script_rcvtimeo_in_time(struct side *s)
{
    int fd = connected(s);
    struct timeval limit = { 8, 0 };
    if (s->client) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        limit = (struct timeval){ 0, 0 };
        said("getsockopt", getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &(socklen_t){ sizeof limit }));
        say("%ld s %ld us", (long)limit.tv_sec, (long)limit.tv_usec);
        meet(s);
        say_recv(fd, 10, 0);
    } else {
        meet(s);
        say_send(fd, "in time", 0);
    }
    meet(s);
}

void script_rcvlowat_recv(struct side *s)
{
    int fd = connected(s), low = 10;
    if (s->client) {
        said("setsockopt", setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low));
        say_option(fd, SOL_SOCKET, SO_RCVLOWAT, "SO_RCVLOWAT");
        delivered(s, fd);
        say_recv(fd, 100, 0);
        meet(s);
        meet(s);
        say_recv(fd, 100, MSG_DONTWAIT);
    } else {
        deliver(s, fd, "1234567890");
        deliver(s, fd, "less");
    }
    meet(s);
}

void script_rcvlowat_poll(struct side *s)
{
    int fd = connected(s), low = 10;
    if (s->client) {
        setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low);
        meet(s);
        meet(s);
        say_poll(fd, POLLIN, NOTHING);
        delivered(s, fd);
        say_poll(fd, POLLIN, SOON);
        say_recv(fd, 100, MSG_DONTWAIT);
    } else {
        deliver(s, fd, "12345");
        deliver(s, fd, "67890");
    }
    meet(s);
}

/* A receiver that wants urgent data in line has it there; ftp's abort comes so. */
void script_urgent_in_line(struct side *s)
{
    int fd = connected(s), on = 1;
    if (s->client) {
        say_send(fd, "abort!", MSG_OOB);
        say_recv(fd, 1, 0);
    } else {
        said("setsockopt(SO_OOBINLINE)", setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on));
        say_recv(fd, 5, MSG_WAITALL);
        say_recv(fd, 1, 0);
        say_send(fd, "!", 0);
    }
    meet(s);
}
