/* errno after a call that has succeeded is what it was before: lftp and others clear it, call, and look. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

/* Says nothing more of the number than that the call has succeeded. */
static long kept(const char *call, long result)
{
    int found = errno;
    say("%s %s, errno %s", call, result < 0 ? "failed" : "succeeded",
        found == 0   ? "kept"
        : result < 0 ? "set"
                     : strerrorname_np(found));
    return result;
}
#define KEPT(name, call) (errno = 0, kept(name, (long)(call)))

static void both_ways(int fd, bool first)
{
    char data[100];
    struct iovec parts[2] = { { data, 1 }, { data + 1, 2 } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    for (int way = 0; way < 2; way++) {
        if ((way == 0) == first) {
            KEPT("send", send(fd, "hello", 5, 0));
            KEPT("write", write(fd, "hello", 5));
            KEPT("writev", writev(fd, (struct iovec[]){ { "he", 2 }, { "llo", 3 } }, 2));
        } else {
            KEPT("peek", recv(fd, data, 3, MSG_PEEK | MSG_WAITALL));
            long rest = 15;
            rest -= KEPT("recv", recv(fd, data, 5, MSG_WAITALL));
            await(fd, POLLIN);
            rest -= KEPT("read", read(fd, data, 1));
            await(fd, POLLIN);
            rest -= KEPT("readv", readv(fd, parts, 2));
            await(fd, POLLIN);
            rest -= KEPT("recvmsg", recvmsg(fd, &message, 0));
            recv(fd, data, (size_t)rest, MSG_WAITALL);
        }
    }
}

static void waits(int fd)
{
    struct pollfd p = { fd, POLLOUT, 0 };
    struct epoll_event event = { .events = EPOLLOUT }, got;
    struct timeval limit = { SOON / 1000, 0 };
    fd_set set;
    int ep = epoll_create1(0), bytes;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    KEPT("poll", poll(&p, 1, SOON));
    KEPT("select", select(fd + 1, NULL, &set, NULL, &limit));
    KEPT("epoll_ctl", epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
    KEPT("epoll_wait", epoll_wait(ep, &got, 1, SOON));
    KEPT("FIONREAD", ioctl(fd, FIONREAD, &bytes));
    close(ep);
}

static void asks_about(int fd)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address, one = sizeof(int);
    int value = 1;
    KEPT("SO_ERROR", getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &one));
    KEPT("getpeername", getpeername(fd, (struct sockaddr *)&address, &length));
    value = 1;
    KEPT("TCP_NODELAY", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value));
    KEPT("F_GETFL", fcntl(fd, F_GETFL));
}

static void leaves(struct side *s, int fd)
{
    int copy = (int)KEPT("dup", dup(fd)), file = file_of(1000);
    char data[1000];
    off_t at = 0;
    if (s->client) {
        KEPT("sendfile", sendfile(fd, file, &at, 1000));
        KEPT("close", close(copy));
        KEPT("shutdown", shutdown(fd, SHUT_WR));
        KEPT("recv", recv(fd, data, 1, MSG_WAITALL));
    } else {
        KEPT("recv", recv(fd, data, 1000, MSG_WAITALL));
        KEPT("recv", recv(fd, data, 1, MSG_WAITALL));
        KEPT("close", close(copy));
    }
    KEPT("close", close(fd));
    close(file);
    meet(s);
}

void script_errno_kept(struct side *s)
{
    int fd;
    if (s->client) {
        fd = tcp_socket(0);
        KEPT("connect", connect(fd, (struct sockaddr *)&s->address, sizeof s->address));
    } else {
        fd = (int)KEPT("accept", accept(s->listener, NULL, NULL));
    }
    both_ways(fd, s->client);
    waits(fd);
    asks_about(fd);
    meet(s);
    leaves(s, fd);
}

/* While the handshake is under way, and the listener has not accepted. */
void script_errno_kept_before_accept(struct side *s)
{
    int fd;
    if (s->client) {
        fd = tcp_socket(SOCK_NONBLOCK);
        say_connect(fd, &s->address);
        waits(fd);
        asks_about(fd);
        waits(fd);
        meet(s);
    } else {
        meet(s);
        fd = (int)KEPT("accept4", accept4(s->listener, NULL, NULL, SOCK_NONBLOCK));
        asks_about(fd);
        waits(fd);
    }
    nonblocking(fd, false);
    both_ways(fd, s->client);
    leaves(s, fd);
}
