/* Pointers that lead nowhere: the kernel's EFAULT, no crash. LTP and fuzzers pass a page that may not be read, and -1. */
#include "trace.h"

#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

enum { PAGE = 4096 };

static void *forbidden_page(void)
{
    void *page = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        fail("mmap");
    return page;
}

static void start_with(void *pointer)
{
    char *const arguments[] = { (char[]){ "x" }, NULL };
    said("execve(path)", execve(pointer, arguments, arguments + 1));
    said("execve(environment)", execve("/bin/true", arguments, pointer));
    said("clone3", syscall(SYS_clone3, pointer, sizeof(struct clone_args)));
}

static void say_with(int fd, void *pointer)
{
    char byte = 'x';
    struct iovec part = { &byte, 1 };
    struct msghdr control = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = pointer, .msg_controllen = 64
    };
    int pair[2];
    pair_of(pair);
    said("connect", connect(fd, pointer, sizeof(struct sockaddr_in)));
    said("sendmsg(control)", sendmsg(pair[0], &control, 0));
    close(pair[0]);
    close(pair[1]);
}

void script_bad_pointers(struct side *s)
{
    void *const pointers[] = { forbidden_page(), (void *)-1 };
    if (!s->client)
        return;
    for (int i = 0; i < 2; i++) {
        int fd = tcp_socket(0);
        start_with(pointers[i]);
        say_with(fd, pointers[i]);
#ifdef SYS_select /* libc's own follows the pointer itself */
        said("select(time)", syscall(SYS_select, 0, NULL, NULL, NULL, pointers[i]));
#endif
        close(fd);
    }
}

/* A length below zero: said when the bytes are taken. */
void script_bad_address_length(struct side *s)
{
    struct sockaddr_in address;
    socklen_t length = (socklen_t)-1, negative = (socklen_t)-2;
    struct sockaddr *where = (struct sockaddr *)&address;
    int fd = connected(s);
    char data[10];
    said("getpeername", getpeername(fd, where, &length));
    said("getsockname", getsockname(fd, where, &length));
    send(fd, "12345", 5, 0);
    settle(fd);
    await(fd, POLLIN);
    said("recvfrom", recvfrom(fd, data, 1, 0, where, &negative));
    said("recvfrom(no address)", recvfrom(fd, data, 1, 0, NULL, &negative));
    said("recvfrom(no length)", recvfrom(fd, data, 1, 0, where, NULL));
    length = sizeof address;
    said("recvfrom", recvfrom(fd, data, 1, 0, where, &length));
    say("length %d", (int)length);
    say_recv(fd, 10, 0);
    meet(s);
}

/* Of a connection, where each call has to be quick, -1 alone is told apart. */
void script_bad_pointers_open(struct side *s)
{
    int fd = connected(s), set = epoll_create1(0);
    void *volatile nowhere = (void *)-1;
    struct iovec part = { nowhere, 5 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    fd_set one;
    FD_ZERO(&one);
    FD_SET(fd, &one);
    said("send", send(fd, nowhere, 5, 0));
    said("writev", writev(fd, nowhere, 1));
    said("sendmsg(iovec)", sendmsg(fd, &message, 0));
    said("sendmsg", sendmsg(fd, nowhere, 0));
    said("poll", poll(nowhere, 1, 0));
    said("select(set)", select(fd + 1, nowhere, NULL, NULL, NULL));
#ifdef SYS_select
    said("select(time)", syscall(SYS_select, fd + 1, &one, NULL, NULL, nowhere));
#endif
    said("epoll_ctl", epoll_ctl(set, EPOLL_CTL_ADD, fd, nowhere));
    said("getsockopt", getsockopt(fd, SOL_SOCKET, SO_ERROR, nowhere, nowhere));
    said("setsockopt", setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, nowhere, sizeof(int)));
    said("getpeername", getpeername(fd, nowhere, nowhere));
    if (s->client) {
        delivered(s, fd);
        said("recv", recv(fd, nowhere, 5, 0));
        said("recvmsg", recvmsg(fd, nowhere, 0));
        said("recvmsg(iovec)", recvmsg(fd, &message, 0));
        say_recv(fd, 100, 0);
    } else {
        deliver(s, fd, "here");
    }
    meet(s);
    close(set);
    close(fd);
}
