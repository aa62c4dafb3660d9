/* Descriptors in messages (SCM_RIGHTS): to oneself, to a child, to a program that a child became, and back. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

enum { MOST = 4 };

void pair_of(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
        fail("socketpair");
}

void pass(int to, const int *fds, int n)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(MOST * sizeof(int))] = { 0 };
    struct iovec iov = { "m", 1 };
    struct msghdr message = { .msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = control,
                              .msg_controllen = CMSG_SPACE((size_t)n * sizeof(int)) };
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
    memcpy(CMSG_DATA(head), fds, (size_t)n * sizeof(int));
    if (sendmsg(to, &message, 0) != 1)
        fail("sendmsg");
}

/* How many came. */
static int take(int from, int *fds, int flags)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(MOST * sizeof(int))] = { 0 };
    char byte;
    struct iovec iov = { &byte, 1 };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    ssize_t got = recvmsg(from, &message, flags);
    struct cmsghdr *head = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (got < 0)
        fail("recvmsg");
    if (!head || head->cmsg_type != SCM_RIGHTS)
        return 0;
    memcpy(fds, CMSG_DATA(head), head->cmsg_len - CMSG_LEN(0));
    return (int)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
}

int take_one(int from)
{
    int fds[MOST];
    if (take(from, fds, 0) != 1)
        fail("a descriptor");
    return fds[0];
}

static void peer(struct side *s, int fd)
{
    say_send(fd, "hello", 0);
    say_recv(fd, 6, MSG_WAITALL);
    say_recv(fd, 10, 0);
    meet(s);
}

static void serve(int fd)
{
    say_recv(fd, 5, MSG_WAITALL);
    say_send(fd, "answer", 0);
}

/* Through a pair of sockets of its own, and the original closed in between: the message alone holds it for a moment. */
void script_pass_to_self(struct side *s)
{
    int fd = connected(s), ends[2], again;
    if (s->client) {
        peer(s, fd);
        return;
    }
    pair_of(ends);
    pass(ends[0], &fd, 1);
    say_close(fd);
    again = take_one(ends[1]);
    say("the same number: %d", again == fd);
    serve(again);
    say_close(again);
    meet(s);
}

void script_pass_to_self_twice(struct side *s)
{
    int fd = connected(s), ends[2], one, two;
    if (s->client) {
        peer(s, fd);
        return;
    }
    pair_of(ends);
    pass(ends[0], &fd, 1);
    pass(ends[0], &fd, 1);
    one = take_one(ends[1]);
    two = take_one(ends[1]);
    say_close(fd);
    say_recv(one, 2, MSG_WAITALL);
    say_close(one);
    say_recv(two, 3, MSG_WAITALL);
    say_send(two, "answer", 0);
    say_close(two);
    meet(s);
}

/* A dispatcher: the child was there before the connection. */
static void to_child(struct side *s, bool parent_closes_first)
{
    int ends[2], fd;
    pid_t child = -1;
    if (!s->client) {
        pair_of(ends);
        child = fork();
        if (child == 0) {
            close(ends[0]);
            fd = take_one(ends[1]);
            serve(fd);
            _exit(0);
        }
        close(ends[1]);
    }
    fd = connected(s);
    if (s->client) {
        peer(s, fd);
        return;
    }
    pass(ends[0], &fd, 1);
    if (parent_closes_first)
        close(fd);
    finish(child);
    if (!parent_closes_first)
        say_close(fd);
    meet(s);
}

void script_pass_to_child(struct side *s)
{
    to_child(s, true);
}

void script_pass_to_child_and_keep(struct side *s)
{
    to_child(s, false);
}

/* Accepted by the parent, spoken to first by the child (node's cluster). */
void script_pass_before_first_byte(struct side *s)
{
    int ends[2], fd;
    if (s->client) {
        fd = tcp_socket(0);
        say_connect(fd, &s->address);
        peer(s, fd);
    } else {
        pid_t child;
        pair_of(ends);
        child = fork();
        if (child == 0) {
            close(ends[0]);
            serve(take_one(ends[1]));
            _exit(0);
        }
        fd = accepted(s);
        pass(ends[0], &fd, 1);
        close(fd);
        finish(child);
        meet(s);
    }
}

/* The same, one after another: each time the parent goes on with a handshake that it may just have begun. */
void script_pass_many_before_first_byte(struct side *s)
{
    enum { MANY = 20 };
    int ends[2], right = 0;
    if (s->client) {
        for (int i = 0; i < MANY; i++) {
            int fd = tcp_socket(0);
            char answer[6];
            if (connect(fd, (const void *)&s->address, sizeof s->address) != 0 ||
                send(fd, "hello", 5, 0) != 5)
                fail("connect and send");
            right += recv(fd, answer, sizeof answer, MSG_WAITALL) == sizeof answer;
            close(fd);
        }
        say("%d answers", right);
    } else {
        pid_t child;
        pair_of(ends);
        child = fork();
        if (child == 0) {
            close(ends[0]);
            for (int i = 0; i < MANY; i++) {
                int fd = take_one(ends[1]);
                char question[5];
                if (recv(fd, question, sizeof question, MSG_WAITALL) != sizeof question)
                    fail("recv");
                if (send(fd, "answer", 6, 0) != 6)
                    fail("send");
                close(fd);
            }
            _exit(0);
        }
        for (int i = 0; i < MANY; i++) {
            int fd = accepted(s);
            pass(ends[0], &fd, 1);
            close(fd);
        }
        finish(child);
    }
    meet(s);
}

/* Connected by the parent, to a listener that accepts only when the child has it (FTP's data connections). */
void script_pass_before_accept(struct side *s)
{
    int ends[2], fd;
    if (s->client) {
        pid_t child;
        pair_of(ends);
        child = fork();
        if (child == 0) {
            close(ends[0]);
            fd = take_one(ends[1]);
            meet(s);
            say_poll(fd, POLLIN | POLLOUT, SOON);
            say_send(fd, "question", 0);
            say_recv(fd, 6, MSG_WAITALL);
            _exit(0);
        }
        fd = tcp_socket(0);
        say_connect(fd, &s->address);
        pass(ends[0], &fd, 1);
        close(fd);
        finish(child);
    } else {
        meet(s);
        fd = accepted(s);
        say_recv(fd, 8, MSG_WAITALL);
        say_send(fd, "answer", 0);
        say_recv(fd, 1, 0);
    }
    meet(s);
}

/* To a child and back again; each reads a part. */
void script_pass_and_back(struct side *s)
{
    int ends[2], fd = -1;
    pid_t child = -1;
    if (!s->client) {
        pair_of(ends);
        child = fork();
        if (child == 0) {
            fd = take_one(ends[1]);
            say_recv(fd, 2, MSG_WAITALL);
            pass(ends[1], &fd, 1);
            close(fd);
            _exit(0);
        }
    }
    fd = connected(s);
    if (s->client) {
        peer(s, fd);
        return;
    }
    pass(ends[0], &fd, 1);
    close(fd);
    fd = take_one(ends[0]);
    finish(child);
    say_recv(fd, 3, MSG_WAITALL);
    say_send(fd, "answer", 0);
    say_close(fd);
    meet(s);
}

/* Made in a child, served by its parent. */
void script_pass_from_child(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        peer(s, fd);
    } else {
        int ends[2], fd;
        pid_t child;
        pair_of(ends);
        child = fork();
        if (child == 0) {
            fd = accepted(s);
            say_recv(fd, 2, MSG_WAITALL);
            pass(ends[1], &fd, 1);
            _exit(0);
        }
        fd = take_one(ends[0]);
        finish(child);
        say_recv(fd, 3, MSG_WAITALL);
        say_send(fd, "answer", 0);
        say_close(fd);
        meet(s);
    }
}

/* To a program that a child has become. */
void script_pass_to_program(struct side *s)
{
    int ends[2], fd;
    pid_t child = -1;
    if (!s->client) {
        pair_of(ends);
        child = fork();
        if (child == 0) {
            exec_program("take", ends[1], NULL, NULL);
            _exit(127);
        }
    }
    fd = connected(s);
    if (s->client) {
        peer(s, fd);
        return;
    }
    pass(ends[0], &fd, 1);
    close(fd);
    finish(child);
    meet(s);
}

/* By a program that was started before there was any connection, to the process that started it. */
void script_pass_from_program(struct side *s)
{
    if (s->client) {
        int ends[2], fd;
        pid_t child;
        char port[12], end[12];
        char *arguments[] = { "trace", "--continue", "give", end, port, NULL };
        pair_of(ends);
        snprintf(port, sizeof port, "%d", s->address.sin_port);
        snprintf(end, sizeof end, "%d", ends[1]);
        if (posix_spawn(&child, self_path(), NULL, NULL, arguments, environ))
            fail("posix_spawn");
        fd = take_one(ends[0]);
        finish(child);
        say_send(fd, "lo", 0);
        say_recv(fd, 6, MSG_WAITALL);
        say_close(fd);
    } else {
        serve(accepted(s));
    }
    meet(s);
}

/* HAProxy's reload: the listener itself. */
void script_pass_listener(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        peer(s, fd);
    } else {
        int ends[2];
        pid_t child;
        pair_of(ends);
        child = fork();
        if (child == 0) {
            int fd;
            close(s->listener);
            s->listener = take_one(ends[1]);
            fd = accepted(s);
            serve(fd);
            _exit(0);
        }
        pass(ends[0], &s->listener, 1);
        finish(child);
        meet(s);
    }
}

/* Several in one message, with others that are no connections. */
void script_pass_several(struct side *s)
{
    int one = connected(s), two = connected(s);
    if (s->client) {
        say_send(one, "one", 0);
        say_send(two, "two", 0);
        say_recv(one, 10, 0);
        say_recv(two, 10, 0);
    } else {
        int ends[2], zero = open("/dev/zero", O_RDONLY), got[MOST];
        char byte = 'x';
        pair_of(ends);
        pass(ends[0], (int[]){ one, zero, two }, 3);
        close(one);
        close(two);
        close(zero);
        said("descriptors", take(ends[1], got, MSG_CMSG_CLOEXEC));
        say("close-on-exec %d %d %d", fcntl(got[0], F_GETFD), fcntl(got[1], F_GETFD), fcntl(got[2], F_GETFD));
        say_recv(got[0], 3, MSG_WAITALL);
        said("read(zero)", read(got[1], &byte, 1));
        say_recv(got[2], 3, MSG_WAITALL);
        close(got[0]);
        close(got[2]);
    }
    meet(s);
}

/* A look at the message makes descriptors as well. */
void script_pass_peek(struct side *s)
{
    int fd = connected(s), ends[2], looked[MOST], got;
    if (s->client) {
        peer(s, fd);
        return;
    }
    pair_of(ends);
    pass(ends[0], &fd, 1);
    said("peeked", take(ends[1], looked, MSG_PEEK));
    say_recv(looked[0], 2, MSG_WAITALL);
    say_close(looked[0]);
    got = take_one(ends[1]);
    say_close(fd);
    say_recv(got, 3, MSG_WAITALL);
    say_send(got, "answer", 0);
    say_close(got);
    meet(s);
}

/*
 * No room for it in the receiver's message: it is closed, and the sender's goes on. (Who has it last cannot know that it was, so the end may
 * be a reset.)
 */
void script_pass_no_room(struct side *s)
{
    int fd = connected(s), ends[2];
    if (s->client) {
        say_send(fd, "hello", 0);
        say_recv(fd, 6, MSG_WAITALL);
        say("the end brings nothing %d", recv(fd, (char[10]){ 0 }, 10, 0) <= 0);
    } else {
        char byte;
        struct iovec iov = { &byte, 1 };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
        pair_of(ends);
        pass(ends[0], &fd, 1);
        said("recvmsg", recvmsg(ends[1], &message, 0));
        say("truncated %d", !!(message.msg_flags & MSG_CTRUNC));
        serve(fd);
        say_close(fd);
    }
    meet(s);
}

/* The whole of a partly read message goes on where the first reader stopped. */
void script_pass_partly_read(struct side *s)
{
    int fd = connected(s), ends[2];
    if (s->client) {
        say_send(fd, "the first part and the second one", 0);
        shutdown(fd, SHUT_WR);
        say_recv(fd, 10, 0);
        meet(s);
        return;
    }
    pair_of(ends);
    await(fd, POLLRDHUP);
    say_recv(fd, 14, 0);
    if (fork() == 0) {
        close(fd);
        fd = take_one(ends[1]);
        say_all(fd);
        _exit(0);
    }
    pass(ends[0], &fd, 1);
    close(fd);
    wait(NULL);
    meet(s);
}
