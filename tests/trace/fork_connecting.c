/* fork in the middle of connecting: parent and child have what was begun. */
#include "trace.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

/* As far as the program knows the connection is there; the listener has not looked yet, and the parent never looks again. */
void script_fork_connected_unheard(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        pid_t child;
        say_connect(fd, &s->address);
        child = fork();
        if (child == 0) {
            say_send(fd, "question", 0);
            say_recv(fd, 100, 0);
            _exit(0);
        }
        meet(s);
        finish(child);
        meet(s);
    } else {
        meet(s);
        serve_one(s);
    }
}

/* The child goes on with what the parent has begun, and the parent lets go. */
void script_fork_connecting(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        pid_t child;
        say_connect(fd, &s->address);
        child = fork();
        if (child == 0) {
            ask_when_made(fd);
            _exit(0);
        }
        close(fd);
        finish(child);
        meet(s);
    } else {
        serve_one(s);
    }
}

/* The other way round: the child has a copy, and ends. */
void script_fork_connecting_parent_goes_on(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        pid_t child;
        say_connect(fd, &s->address);
        child = fork();
        if (child == 0)
            _exit(0);
        finish(child);
        await(fd, POLLOUT);
        say_so_error(fd);
        ask_one(s, fd);
    } else {
        serve_one(s);
    }
}

/* Both watch; whoever sees it first talks, the other one after it. */
void script_fork_connecting_both_wait(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        pid_t child;
        say_connect(fd, &s->address);
        child = fork();
        await(fd, POLLOUT);
        say_so_error(fd);
        if (child == 0)
            _exit(0);
        finish(child);
        ask_one(s, fd);
    } else {
        serve_one(s);
    }
}
