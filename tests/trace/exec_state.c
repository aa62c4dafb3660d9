/* What a started program inherits in the middle: half a message, half a stream, a set, a listener, copies. */
#include "trace.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

/* What is read of a message stays read, what is not comes in the program. */
void script_exec_partly_read(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_send(fd, "some of this is read before and the rest after", 0);
        shutdown(fd, SHUT_WR);
        say_recv(fd, 10, MSG_WAITALL);
    } else {
        pid_t child;
        await(fd, POLLRDHUP);
        say_recv(fd, 13, 0);
        child = start_program("read_all", fd, NULL, NULL);
        close(fd);
        finish(child);
    }
    meet(s);
}

/* A full socket, part of a write gone: the program goes on where it was told. */
void script_exec_partly_written(struct side *s)
{
    enum { TOTAL = 1 << 20 };
    int fd = connected(s);
    struct stream stream = stream_of(91);
    small_buffers(fd);
    if (s->client) {
        char at[24], total[24];
        pid_t child;
        fill(fd, &stream);
        snprintf(at, sizeof at, "%llu", (unsigned long long)stream.at);
        snprintf(total, sizeof total, "%d", TOTAL);
        child = start_program("send_rest", fd, at, total);
        close(fd);
        meet(s);
        finish(child);
    } else {
        meet(s);
        recv_stream(fd, 91, TOTAL, 0);
        say_recv(fd, 10, 0);
    }
    meet(s);
}

/* A set and its registration go over as well. */
void script_exec_epoll(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        int ep = epoll_create1(0);
        char set[12];
        say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 5);
        snprintf(set, sizeof set, "%d", ep);
        meet(s);
        finish(start_program("use_set", fd, set, NULL));
        say_epoll(ep, SOON);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN, 9);
        say_epoll(ep, NOTHING);
    } else {
        meet(s);
        say_send(fd, "hello", 0);
        say_recv(fd, 16, MSG_WAITALL);
    }
    meet(s);
}

/* nginx's upgrade, a reloader: the new program serves the listener that the old one made. */
void script_exec_listener(struct side *s)
{
    if (s->client) {
        for (int i = 0; i < 2; i++) {
            int fd = tcp_socket(0);
            say_connect(fd, &s->address);
            say_send(fd, "question", 0);
            say_recv(fd, 100, 0);
            say_recv(fd, 100, 0);
        }
    } else {
        finish(start_program("serve", s->listener, NULL, NULL));
    }
    meet(s);
}

/* Two numbers for one connection in the new program: the first close ends nothing. */
void script_exec_copies(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_send(fd, "hello", 0);
        say_recv(fd, 16, MSG_WAITALL);
        say_recv(fd, 10, 0);
    } else {
        pid_t child = fork();
        if (child == 0) {
            dup2(fd, 90);
            dup2(fd, 91);
            exec_program("talk", 90, NULL, NULL);
            _exit(127);
        }
        close(fd);
        finish(child);
    }
    meet(s);
}

/* A program that knows nothing of it holds it open: the peer sees the end when that one ends. */
void script_exec_holder(struct side *s)
{
    int fd = connected(s), ends[2];
    if (s->client) {
        nonblocking(fd, true);
        meet(s);
        say_recv(fd, 10, 0);
        meet(s);
        nonblocking(fd, false);
        say_recv(fd, 10, 0);
    } else {
        pid_t child;
        if (pipe(ends))
            fail("pipe");
        child = fork();
        if (child == 0) {
            dup2(ends[0], STDIN_FILENO);
            close(ends[0]);
            close(ends[1]);
            exec_program("hold", fd, NULL, NULL);
            _exit(127);
        }
        say_close(fd);
        meet(s);
        meet(s);
        close(ends[1]);
        finish(child);
    }
    meet(s);
}
