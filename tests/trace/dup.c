/* Several names for one connection. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

/* The first close of two names for a connection ends nothing. */
void script_dup_close_one(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        int copy = dup(fd), third = fcntl(fd, F_DUPFD_CLOEXEC, 100);
        say("numbers: %d %d", copy == fd + 1, third == 100);
        say_close(fd);
        say_send(copy, "through the copy", 0);
        say_recv(copy, 100, 0);
        say_close(copy);
        say_send(third, "through the third", 0);
        say_close(third);
    } else {
        say_recv(fd, 16, MSG_WAITALL);
        say_send(fd, "answer", 0);
        say_recv(fd, 17, MSG_WAITALL);
        say_recv(fd, 100, 0);
    }
    meet(s);
}

/* One name reads, the other writes; a part read by one is gone for both. */
void script_dup_shares_state(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        int copy = dup(fd);
        meet(s);
        await(fd, POLLIN);
        say_recv(fd, 4, 0);
        say_recv(copy, 3, 0);
        nonblocking(copy, true);
        say("NONBLOCK is shared: %d", !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
        say_recv(fd, 100, 0);
        say_recv(copy, 100, 0);
        said("shutdown(WR)", shutdown(copy, SHUT_WR));
        say_send(fd, "x", MSG_NOSIGNAL);
    } else {
        send(fd, "one two three", 13, 0);
        settle(fd);
        meet(s);
        say_recv(fd, 1, 0);
    }
    meet(s);
}

/* dup2 over a connection closes it. */
void script_dup2_over(struct side *s)
{
    int fd = connected(s), other = open("/dev/null", O_RDWR);
    if (s->client) {
        char byte;
        said("dup2(same)", dup2(fd, fd) == fd ? 0 : -1);
        said("dup2(over)", dup2(other, fd) == fd ? 0 : -1);
        said("read", read(fd, &byte, 1));
        said("recv", recv(fd, &byte, 1, 0));
        said("write", write(fd, "xyz", 3));
        said("dup3(same)", dup3(fd, fd, 0));
        said("dup2(-1)", dup2(-1, fd));
        said("dup(-1)", dup(-1));
    } else {
        say_recv(fd, 10, 0);
    }
    meet(s);
}

/* dup2 puts a connection somewhere else, as inetd does. */
void script_dup2_onto(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        int place = open("/dev/null", O_RDWR);
        said("dup2", dup2(fd, place) == place ? 0 : -1);
        say_close(fd);
        say_write(place, "moved");
        say_read(place, 100);
        say_close(place);
    } else {
        say_recv(fd, 5, MSG_WAITALL);
        say_send(fd, "found", 0);
        say_recv(fd, 5, 0);
    }
    meet(s);
}

/* Numbers are given out as if nobody else used any. */
void script_descriptor_numbers(struct side *s)
{
    int first = dup(0), fd, next;
    close(first);
    fd = connected(s);
    say("the lowest number: %d", fd == first);
    next = dup(0);
    say("then the next: %d", next == fd + 1);
    close(fd);
    say("and again: %d", dup(0) == fd);
    meet(s);
}
