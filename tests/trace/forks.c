/* fork by every name, at awkward moments. */
#include "trace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/raw.h"
#include "scripts.h"

static pid_t by_clone(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* Where nobody sees it. */
static pid_t by_bare_call(void)
{
    return (pid_t)raw_syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);
}

/* Each speaks, first the child, then the parent; both end. */
static void fork_by(struct side *s, pid_t (*make)(void))
{
    int fd = connected(s);
    if (s->client) {
        say_recv(fd, 14, MSG_WAITALL);
        say_send(fd, "to whom it concerns", 0);
        say_recv(fd, 15, MSG_WAITALL);
        say_recv(fd, 10, 0);
    } else {
        pid_t child = make();
        if (child == 0) {
            say_send(fd, "from the child", 0);
            say_recv(fd, 8, MSG_WAITALL);
            close(fd);
            _exit(3);
        }
        finish(child);
        say_recv(fd, 11, MSG_WAITALL);
        say_send(fd, "from the parent", 0);
        say_close(fd);
    }
    meet(s);
}

void script_fork_underscore(struct side *s)
{
    fork_by(s, _Fork);
}

void script_fork_clone(struct side *s)
{
    fork_by(s, by_clone);
}

void script_fork_unseen(struct side *s)
{
    fork_by(s, by_bare_call);
}

/* A child that ends by exit, with its handlers, or is killed, ends nothing for its parent. */
void script_fork_child_exits(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_recv(fd, 12, MSG_WAITALL);
        say_recv(fd, 10, 0);
    } else {
        pid_t child = fork();
        if (child == 0)
            exit(5);
        finish(child);
        child = fork();
        if (child == 0) {
            say_send(fd, "child,", 0);
            raise(SIGKILL);
        }
        finish(child);
        say_send(fd, "parent", 0);
        say_close(fd);
    }
    meet(s);
}

/* The parent is killed; the child has the connection and ends it in its own time. */
void script_fork_parent_killed(struct side *s)
{
    int fd = connected(s), report[2];
    if (s->client) {
        say_recv(fd, 5, MSG_WAITALL);
        say_send(fd, "still there?", 0);
        say_recv(fd, 3, MSG_WAITALL);
        say_recv(fd, 10, 0);
    } else {
        char line[100] = { 0 };
        pid_t child;
        if (pipe(report))
            fail("pipe");
        child = fork();
        if (child == 0) {
            pid_t killed = getpid();
            if (fork() == 0) {
                char text[20] = { 0 };
                ssize_t got;
                while (getppid() == killed)
                    poll(NULL, 0, 1);
                got = recv(fd, text, 12, MSG_WAITALL);
                send(fd, "yes", 3, 0);
                snprintf(line, sizeof line, "the grandchild read %zd", got);
                close(fd);
                if (write(report[1], line, sizeof line) < 0)
                    _exit(1);
                _exit(0);
            }
            send(fd, "alone", 5, 0);
            raise(SIGKILL);
        }
        close(fd);
        close(report[1]);
        finish(child);
        if (read(report[0], line, sizeof line) < 0)
            fail("the grandchild");
        say("%s", line);
    }
    meet(s);
}

/* The kernel drops a process' locks on a file when that closes any descriptor of it. */
static void open_and_close_all(void)
{
    enum { MOST = 200 };
    int list[MOST], n = 0;
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;
    while (dir && n < MOST && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            list[n++] = (int)strtol(entry->d_name, NULL, 10);
    if (dir)
        closedir(dir);
    while (n-- > 0) {
        char path[32];
        int again;
        snprintf(path, sizeof path, "/proc/self/fd/%d", list[n]);
        again = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (again >= 0)
            close(again);
    }
}

/* The child has a look at each of its files, and then the connection alone. */
void script_fork_looks_at_own_files(struct side *s)
{
    int fd = connected(s), done[2], go[2];
    if (s->client) {
        say_recv(fd, 14, MSG_WAITALL);
        say_send(fd, "answer", 0);
        say_recv(fd, 10, 0);
    } else {
        char byte;
        pid_t child, another;
        if (pipe(done) || pipe(go))
            fail("pipe");
        child = fork();
        if (child == 0) {
            open_and_close_all();
            if (write(done[1], "d", 1) != 1 || read(go[0], &byte, 1) != 1)
                _exit(1);
            say_send(fd, "from the child", 0);
            say_recv(fd, 6, MSG_WAITALL);
            _exit(0);
        }
        if (read(done[0], &byte, 1) != 1)
            fail("done");
        close(fd);
        another = fork();
        if (another == 0)
            _exit(0);
        finish(another);
        if (write(go[1], "g", 1) != 1)
            fail("go");
        finish(child);
    }
    meet(s);
}

/* As daemons do: the first child ends, the second has no parent and no terminal. */
void script_fork_twice(struct side *s)
{
    int fd = connected(s), report[2], go[2];
    if (s->client) {
        say_send(fd, "question", 0);
        say_recv(fd, 6, MSG_WAITALL);
        say_recv(fd, 10, 0);
    } else {
        char byte;
        pid_t child;
        if (pipe(report) || pipe(go))
            fail("pipe");
        child = fork();
        if (child == 0) {
            setsid();
            if (fork() == 0) {
                if (read(go[0], &byte, 1) != 1) /* two processes write lines: one after the other */
                    _exit(1);
                close(report[0]);
                if (chdir("/") || dup2(open("/dev/null", O_RDWR), STDIN_FILENO))
                    _exit(1);
                say_recv(fd, 8, MSG_WAITALL);
                say_send(fd, "answer", 0);
                _exit(0);
            }
            _exit(0);
        }
        close(fd);
        finish(child);
        close(report[1]);
        if (write(go[1], "g", 1) != 1)
            fail("go");
        said("the daemon is done", read(report[0], &byte, 1));
    }
    meet(s);
}

/* More processes than anybody counts have it; the last one's close is the end. */
void script_fork_many(struct side *s)
{
    enum { MANY = 40 };
    int fd = connected(s), go[2];
    if (s->client) {
        char text[MANY];
        if (recv(fd, text, MANY, MSG_WAITALL) != MANY)
            fail("the children's bytes");
        say("%d children", MANY);
        say_send(fd, "end", 0);
        say_recv(fd, 10, 0);
    } else {
        char byte = 'c';
        if (pipe(go))
            fail("pipe");
        for (int i = 0; i < MANY; i++) {
            if (fork() == 0) {
                close(go[1]);
                if (send(fd, &byte, 1, 0) != 1 || read(go[0], &byte, 1) != 0)
                    _exit(1);
                _exit(0);
            }
        }
        say_recv(fd, 3, MSG_WAITALL);
        close(go[1]);
        for (int i = 0; i < MANY; i++)
            wait(NULL);
        say_close(fd);
    }
    meet(s);
}

/* Reading in turn: what one takes, the other does not see; parts of a message go to either. */
void script_fork_reads_in_turn(struct side *s)
{
    int fd = connected(s), up[2], down[2];
    if (s->client) {
        say_send(fd, "aaaabbbbccccddddeeeeffff", 0);
        say_recv(fd, 10, 0);
    } else {
        char token = '.';
        pid_t child;
        if (pipe(up) || pipe(down))
            fail("pipe");
        child = fork();
        for (int i = 0; i < 3; i++) {
            if (child == 0) {
                if (read(down[0], &token, 1) != 1)
                    fail("turn");
                say_recv(fd, 4, MSG_WAITALL);
                if (write(up[1], &token, 1) != 1)
                    fail("turn");
            } else {
                say_recv(fd, 4, MSG_WAITALL);
                if (write(down[1], &token, 1) != 1 || read(up[0], &token, 1) != 1)
                    fail("turn");
            }
        }
        if (child == 0)
            _exit(0);
        finish(child);
        say_recv(fd, 10, MSG_DONTWAIT);
        say_close(fd);
    }
    meet(s);
}
