/* Ways to the kernel other than libc's plain names: syscall(), and second names of libc's calls. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

static const long MASK = 8; /* the kernel's size of a signal mask */

static struct iovec *span(const char *text)
{
    static struct iovec v;
    v = (struct iovec){ (void *)(uintptr_t)text, strlen(text) };
    return &v;
}

static void send_by_number(int fd)
{
    struct msghdr one = { .msg_iovlen = 1 };
    struct mmsghdr many;
    int file;
    said("write", syscall(SYS_write, fd, "by write ", 9));
    said("writev", syscall(SYS_writev, fd, span("by writev "), 1));
    said("sendto", syscall(SYS_sendto, fd, "by sendto ", 10, 0, NULL, 0));
    one.msg_iov = span("by sendmsg ");
    said("sendmsg", syscall(SYS_sendmsg, fd, &one, 0));
    many = (struct mmsghdr){ .msg_hdr = { .msg_iov = span("by sendmmsg "), .msg_iovlen = 1 } };
    said("sendmmsg", syscall(SYS_sendmmsg, fd, &many, 1, 0));
    said("pwritev2", syscall(SYS_pwritev2, fd, span("by pwritev2 "), 1, -1L, -1L, 0));
    file = memfd_create("trace", 0);
    if (write(file, "by sendfile ", 12) != 12 || lseek(file, 0, SEEK_SET) != 0)
        fail("memfd");
    said("sendfile", syscall(SYS_sendfile, fd, file, NULL, 12));
    close(file);
}

static void receive_by_number(int fd)
{
    char text[200] = { 0 };
    struct iovec v = { text, 10 };
    struct msghdr one = { .msg_iov = &v, .msg_iovlen = 1 };
    struct mmsghdr many = { .msg_hdr = one };
    int bytes = 0;
    said("ioctl(FIONREAD)", syscall(SYS_ioctl, fd, FIONREAD, &bytes));
    say("something is there: %d", bytes > 0);
    say_bytes("read", syscall(SYS_read, fd, text, 9), text);
    say_bytes("readv", syscall(SYS_readv, fd, &v, 1), text);
    say_bytes("recvfrom", syscall(SYS_recvfrom, fd, text, 10, 0, NULL, NULL), text);
    v.iov_len = 11;
    say_bytes("recvmsg", syscall(SYS_recvmsg, fd, &one, 0), text);
    v.iov_len = 12;
    said("recvmmsg", syscall(SYS_recvmmsg, fd, &many, 1, 0, NULL));
    say_bytes("its bytes", many.msg_len, text);
    say_bytes("preadv2", syscall(SYS_preadv2, fd, &v, 1, -1L, -1L, 0), text);
    say_recv(fd, 12, MSG_WAITALL);
}

static void wait_by_number(int fd)
{
    struct pollfd p = { fd, POLLIN, 0 };
    struct timespec limit = { SOON / 1000, 0 };
    sigset_t none;
    const struct {
        const sigset_t *mask;
        size_t size;
    } masked = { &none, MASK };
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = 7 };
    int set = (int)syscall(SYS_epoll_create1, 0);
    fd_set r;
    sigemptyset(&none);
    said("ppoll", syscall(SYS_ppoll, &p, 1, &limit, &none, MASK));
    say("what is left of the limit is told: %d", limit.tv_sec < SOON / 1000 || limit.tv_nsec != 0);
    FD_ZERO(&r);
    FD_SET(fd, &r);
    said("pselect6", syscall(SYS_pselect6, fd + 1, &r, NULL, NULL, &limit, &masked));
    said("epoll_ctl", syscall(SYS_epoll_ctl, set, EPOLL_CTL_ADD, fd, &event));
    said("epoll_pwait", syscall(SYS_epoll_pwait, set, &event, 1, SOON, &none, MASK));
    said("epoll_pwait2", syscall(SYS_epoll_pwait2, set, &event, 1, &limit, &none, MASK));
#ifdef SYS_poll
    said("poll", syscall(SYS_poll, &p, 1, SOON));
    said("epoll_wait", syscall(SYS_epoll_wait, set, &event, 1, SOON));
    said("select", syscall(SYS_select, fd + 1, &r, NULL, NULL, NULL));
#endif
    syscall(SYS_close, set);
}

/* Bytes, both ways, and waiting for them. */
void script_syscall_bytes(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        send_by_number(fd);
        settle(fd);
        meet(s);
    } else {
        meet(s);
        wait_by_number(fd);
        receive_by_number(fd);
    }
    meet(s);
}

/* The life of a connection by numbers alone. */
void script_syscall_life(struct side *s)
{
    int fd, copy;
    if (s->client) {
        struct sockaddr_in peer;
        socklen_t length = sizeof peer;
        fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
        said("connect", syscall(SYS_connect, fd, &s->address, sizeof s->address));
        said("getpeername", syscall(SYS_getpeername, fd, &peer, &length));
        say("is the server: %d", peer.sin_port == s->address.sin_port);
    } else {
        fd = (int)syscall(SYS_accept4, s->listener, NULL, NULL, 0);
    }
    copy = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 100);
    say("the copy is %d", copy);
    said("dup3", syscall(SYS_dup3, fd, 90, 0));
#ifdef SYS_dup2
    said("dup2", syscall(SYS_dup2, fd, 91));
#endif
    said("close", syscall(SYS_close, fd));
    said("close_range", syscall(SYS_close_range, 90, 99, 0));
    said("write", syscall(SYS_write, copy, s->client ? "client" : "server", 6));
    say_recv(copy, 6, MSG_WAITALL);
    if (s->client) {
        said("shutdown", syscall(SYS_shutdown, copy, SHUT_WR));
    } else {
        say_recv(copy, 10, 0);
        said("close", syscall(SYS_close, copy));
    }
    meet(s);
}

/* A pending connection, waited for by number. */
void script_syscall_pending(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        struct pollfd p = { fd, POLLOUT, 0 };
        struct timespec limit = { SOON / 1000, 0 };
        fd_set w;
        FD_ZERO(&w);
        FD_SET(fd, &w);
        say_connect(fd, &s->address);
        said("pselect6", syscall(SYS_pselect6, fd + 1, NULL, &w, NULL, &limit, NULL));
        said("ppoll", syscall(SYS_ppoll, &p, 1, &limit, NULL, MASK));
        say_so_error(fd);
        ask_one(s, fd);
    } else {
        serve_one(s);
    }
}

/* ---- second names ---- */

int __connect(int fd, const struct sockaddr *address, socklen_t length);
ssize_t __read(int fd, void *data, size_t n);
ssize_t __write(int fd, const void *data, size_t n);
ssize_t __send(int fd, const void *data, size_t n, int flags);
int __poll(struct pollfd *fds, unsigned long n, int timeout);
int __select(int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *timeout);
int __close(int fd);
int __dup2(int fd, int to);
int __fcntl(int fd, int command, ...);

void script_second_names(struct side *s)
{
    char text[100];
    int fd, copy;
    if (s->client) {
        fd = tcp_socket(0);
        said("__connect", __connect(fd, (struct sockaddr *)&s->address, sizeof s->address));
        said("__write", __write(fd, "by __write ", 11));
        said("__send", __send(fd, "by __send", 9, 0));
    } else {
        struct pollfd p;
        fd_set r;
        fd = accepted(s);
        p = (struct pollfd){ fd, POLLIN, 0 };
        FD_ZERO(&r);
        FD_SET(fd, &r);
        said("__poll", __poll(&p, 1, SOON));
        said("__select", __select(fd + 1, &r, NULL, NULL, NULL));
        say_bytes("__read", __read(fd, text, 11), text);
        say_recv(fd, 9, MSG_WAITALL);
    }
    copy = __fcntl(fd, F_DUPFD, 80);
    say("the copy is %d", copy);
    said("__dup2", __dup2(copy, 81));
    said("__close", __close(fd));
    say_send(81, s->client ? "client" : "server", 0);
    say_recv(copy, 6, MSG_WAITALL);
    meet(s);
}
