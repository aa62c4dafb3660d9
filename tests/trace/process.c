/* fork: the connection belongs to the open file description. */
#include "trace.h"

#include <errno.h>
#include <sched.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

static void end_child(void)
{
    fflush(stdout);
    _exit(7);
}

/* The parent accepts, the child serves. */
void script_fork_child_only(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_send(fd, "for the child", 0);
        say_recv(fd, 100, 0);
        say_recv(fd, 100, 0);
    } else {
        pid_t child = fork();
        if (child == 0) {
            say_recv(fd, 100, 0);
            say_send(fd, "from the child", 0);
            say_close(fd);
            end_child();
        }
        close(fd);
        finish(child);
    }
    meet(s);
}

/* The child's exit and close end nothing for the parent. */
void script_fork_parent_only(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_recv(fd, 100, 0);
        say_send(fd, "for the parent", 0);
        say_recv(fd, 100, 0);
    } else {
        pid_t child = fork();
        if (child == 0) {
            close(fd);
            end_child();
        }
        finish(child);
        say_send(fd, "from the parent", 0);
        say_recv(fd, 100, 0);
        say_close(fd);
    }
    meet(s);
}

/* A connection that is accepted and not yet spoken to, handed to a child. */
void script_fork_before_first_byte(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        said("connect", connect(fd, (struct sockaddr *)&s->address, sizeof s->address));
        say_send(fd, "hello", 0);
        say_recv(fd, 100, 0);
        say_recv(fd, 100, 0);
    } else {
        int fd = accepted(s);
        pid_t child = fork();
        if (child == 0) {
            say_recv(fd, 100, 0);
            say_send(fd, "welcome", 0);
            end_child();
        }
        close(fd);
        finish(child);
    }
    meet(s);
}

static void serve_and_close(int fd)
{
    say_recv(fd, 100, 0);
    say_send(fd, "welcome", 0);
    close(fd);
    end_child();
}

static void ask_until_end(struct side *s)
{
    int fd = tcp_socket(0);
    said("connect", connect(fd, (struct sockaddr *)&s->address, sizeof s->address));
    say_send(fd, "hello", 0);
    say_recv(fd, 100, 0);
    meet(s);
    say_recv(fd, 100, 0);
    meet(s);
}

/* The child does everything and ends before its parent closes what it has never used: that is the end. */
void script_fork_child_first(struct side *s)
{
    if (s->client) {
        ask_until_end(s);
    } else {
        int fd = accepted(s);
        pid_t child = fork();
        if (child == 0)
            serve_and_close(fd);
        finish(child);
        meet(s);
        say_close(fd);
        meet(s);
    }
}

/* The same, where the parent does not close, but ends. */
void script_fork_child_first_exit(struct side *s)
{
    if (s->client) {
        ask_until_end(s);
    } else {
        int fd = accepted(s);
        pid_t parent = fork();
        if (parent == 0) {
            pid_t child = fork();
            if (child == 0)
                serve_and_close(fd);
            finish(child);
            end_child();
        }
        close(fd);
        finish(parent);
        meet(s);
        meet(s);
    }
}

/* Parent and child write in turn; the reader sees one stream. */
void script_fork_in_turn(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_recv(fd, 24, MSG_WAITALL);
        say_send(fd, "abcdef", 0);
        say_recv(fd, 1, 0);
    } else {
        int up[2], down[2];
        char token = '.';
        pid_t child;
        if (pipe(up) || pipe(down))
            fail("pipe");
        child = fork();
        for (int i = 0; i < 3; i++) {
            if (child == 0) {
                if (read(down[0], &token, 1) != 1)
                    fail("turn");
                send(fd, "cccc", 4, 0);
                if (write(up[1], &token, 1) != 1)
                    fail("turn");
            } else {
                send(fd, "pppp", 4, 0);
                if (write(down[1], &token, 1) != 1 || read(up[0], &token, 1) != 1)
                    fail("turn");
            }
        }
        if (child == 0) {
            say_recv(fd, 3, 0);
            end_child();
        }
        finish(child);
        say_recv(fd, 3, 0);
        say_close(fd);
    }
    meet(s);
}

static int serve_in_clone(void *context)
{
    const int *fd = context;
    say_recv(*fd, 100, 0);
    say_send(*fd, "from the clone", 0);
    fflush(stdout);
    return 7;
}

/* The same by number, on the same stack. */
void script_clone3_child(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        meet(s);
        say_send(fd, "for the clone", 0);
        say_recv(fd, 100, 0);
        say_recv(fd, 100, 0);
    } else {
        const uint64_t args[8] = { [4] =
                                       SIGCHLD }; /* struct clone_args: the signal at the end is its fifth */
        pid_t child = (pid_t)syscall(SYS_clone3, args, sizeof args);
        if (child == 0)
            _exit(serve_in_clone(&fd));
        if (child < 0)
            fail("clone3");
        close(fd);
        meet(s);
        finish(child);
    }
    meet(s);
}

/* A fork by its other name, on a stack of its own; the parent's close ends nothing. */
void script_clone_child(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        meet(s);
        say_send(fd, "for the clone", 0);
        say_recv(fd, 100, 0);
        say_recv(fd, 100, 0);
    } else {
        static _Alignas(16) char stack[256 * 1024];
        pid_t child = clone(serve_in_clone, stack + sizeof stack, SIGCHLD, &fd);
        if (child < 0)
            fail("clone");
        close(fd);
        meet(s);
        finish(child);
    }
    meet(s);
}

/* A pre-forked server: the child accepts from the parent's listener. */
void script_fork_child_accepts(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        said("connect", connect(fd, (struct sockaddr *)&s->address, sizeof s->address));
        say_send(fd, "prefork", 0);
        say_recv(fd, 100, 0);
        say_recv(fd, 100, 0);
    } else {
        pid_t child = fork();
        if (child == 0) {
            int fd = accepted(s);
            say_recv(fd, 100, 0);
            say_send(fd, "served", 0);
            end_child();
        }
        finish(child);
    }
    meet(s);
}

/* A program that is started in between inherits nothing that it was not given. */
void script_system_in_between(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say("system %d", system("exit 3") >> 8);
        say_send(fd, "still here", 0);
        say_recv(fd, 100, 0);
    } else {
        say_recv(fd, 100, 0);
        say_send(fd, "me too", 0);
    }
    meet(s);
}
