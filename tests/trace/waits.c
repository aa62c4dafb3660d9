/* Every call that waits for bytes (or an event) of a connection that has none, in one table. */
#include "trace.h"

#include <signal.h>
#include <stdio.h>
#include <sys/select.h>
#include <unistd.h>

#include "base/banned.h"

static char data[100];

static long in_recv(int fd)
{
    return recv(fd, data, sizeof data, 0);
}

static long in_recv_waitall(int fd)
{
    return recv(fd, data, 10, MSG_WAITALL);
}

static long in_peek(int fd)
{
    return recv(fd, data, sizeof data, MSG_PEEK);
}

static long in_trunc(int fd)
{
    return recv(fd, data, sizeof data, MSG_TRUNC);
}

static long in_read(int fd)
{
    return read(fd, data, sizeof data);
}

static long in_readv(int fd)
{
    struct iovec iov[2] = { { data, 50 }, { data + 50, 50 } };
    return readv(fd, iov, 2);
}

static long in_recvfrom(int fd)
{
    return recvfrom(fd, data, sizeof data, 0, NULL, NULL);
}

static long in_recvmsg(int fd)
{
    struct iovec iov = { data, sizeof data };
    struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
    return recvmsg(fd, &message, 0);
}

static long in_recvmmsg(int fd)
{
    struct iovec iov = { data, sizeof data };
    struct mmsghdr message = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };
    return recvmmsg(fd, &message, 1, 0, NULL);
}

static long in_poll(int fd)
{
    return poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, -1);
}

static long in_ppoll(int fd)
{
    return ppoll(&(struct pollfd){ fd, POLLIN, 0 }, 1, NULL, NULL);
}

static long in_select(int fd)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    return select(fd + 1, &set, NULL, NULL, NULL);
}

static long in_pselect(int fd)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    return pselect(fd + 1, &set, NULL, NULL, NULL, NULL);
}

/* In a set that was made before: a thread that does not come back leaves nothing open. */
static int epoll_fd = -1;

static int the_set(int fd)
{
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN });
    return epoll_fd;
}

static long in_epoll_wait(int fd)
{
    return epoll_wait(the_set(fd), &(struct epoll_event){ 0 }, 1, -1);
}

static long in_epoll_pwait(int fd)
{
    return epoll_pwait(the_set(fd), &(struct epoll_event){ 0 }, 1, -1, NULL);
}

static long in_epoll_pwait2(int fd)
{
    return epoll_pwait2(the_set(fd), &(struct epoll_event){ 0 }, 1, NULL, NULL);
}

const struct wait_call wait_calls[] = {
    { "recv", in_recv, true },
    { "recv(WAITALL)", in_recv_waitall, true },
    { "recv(PEEK)", in_peek, true },
    { "recv(TRUNC)", in_trunc, true },
    { "read", in_read, true },
    { "readv", in_readv, true },
    { "recvfrom", in_recvfrom, true },
    { "recvmsg", in_recvmsg, true },
    { "recvmmsg", in_recvmmsg, true },
    { "poll", in_poll, false },
    { "ppoll", in_ppoll, false },
    { "select", in_select, false },
    { "pselect", in_pselect, false },
    { "epoll_wait", in_epoll_wait, false },
    { "epoll_pwait", in_epoll_pwait, false },
    { "epoll_pwait2", in_epoll_pwait2, false },
};
const size_t wait_call_count = sizeof wait_calls / sizeof wait_calls[0];

void wait_begin(void)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
}

void wait_end(void)
{
    close(epoll_fd);
}
