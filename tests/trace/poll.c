/* poll, ppoll, select, pselect on established connections. */
#include "trace.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

void script_poll_life(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_poll(fd, POLLIN | POLLOUT | POLLRDHUP, 0);
        say_poll(fd, POLLIN, NOTHING);
        meet(s);
        say_poll(fd, POLLIN, SOON);
        say_recv(fd, 100, 0);
        say_poll(fd, POLLIN, NOTHING);
        meet(s);
        await(fd, POLLRDHUP);
        say_poll(fd, POLLIN | POLLOUT | POLLRDHUP, SOON);
        say_recv(fd, 100, 0);
        say_poll(fd, POLLIN | POLLOUT | POLLRDHUP, SOON);
        shutdown(fd, SHUT_WR);
        await(fd, POLLHUP);
        say_poll(fd, POLLIN | POLLOUT | POLLRDHUP, SOON);
    } else {
        meet(s);
        say_send(fd, "x", 0);
        meet(s);
        shutdown(fd, SHUT_WR);
    }
    meet(s);
}

void script_poll_odd_descriptors(struct side *s)
{
    int fd = connected(s), ends[2];
    if (pipe(ends) || write(ends[1], "p", 1) != 1)
        fail("pipe");
    if (s->client) {
        struct pollfd p[5] = { { fd, POLLOUT, 0 },
                               { -1, POLLIN, 0x7f },
                               { ends[0], POLLIN, 0 },
                               { 900, POLLIN, 0 },
                               { ends[1], POLLIN, 0 } };
        said("poll", poll(p, 5, SOON));
        for (int i = 0; i < 5; i++)
            say("%d: 0x%x", i, (unsigned)p[i].revents);
        said("poll(none)", poll(NULL, 0, 1));
        said("poll(bad pointer)", poll((struct pollfd *)8, 1, 0));
        close(fd);
        say_poll(fd, POLLIN, 0);
    }
    meet(s);
}

/* While a program has not read everything, the descriptor stays readable. */
void script_poll_after_partial_read(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        meet(s);
        await(fd, POLLIN);
        for (int i = 0; i < 4; i++) {
            say_recv(fd, 3, 0);
            say_poll(fd, POLLIN, i < 3 ? SOON : NOTHING);
        }
    } else {
        say_send(fd, "abcdefghijkl", 0);
        settle(fd);
        meet(s);
    }
    meet(s);
}

void script_ppoll_timeout(struct side *s)
{
    int fd = connected(s);
    struct pollfd p = { fd, POLLIN, 0 };
    struct timespec brief = { 0, 10000000 }, bad = { 0, 2000000000 };
    if (s->client) {
        said("ppoll", ppoll(&p, 1, &brief, NULL));
        say("the timeout is %s", brief.tv_nsec == 10000000 ? "untouched" : "changed");
        said("ppoll(bad timeout)", ppoll(&p, 1, &bad, NULL));
        meet(s);
        said("ppoll", ppoll(&p, 1, NULL, NULL));
    } else {
        meet(s);
        say_send(fd, "now", 0);
    }
    meet(s);
}

static void say_sets(int n, int fd, fd_set *r, fd_set *w, fd_set *x)
{
    said("select", n);
    say("read %d write %d except %d", !!FD_ISSET(fd, r), !!FD_ISSET(fd, w), !!FD_ISSET(fd, x));
}

static void select_all(int fd, struct timeval limit)
{
    fd_set r, w, x;
    FD_ZERO(&r);
    FD_ZERO(&w);
    FD_ZERO(&x);
    FD_SET(fd, &r);
    FD_SET(fd, &w);
    FD_SET(fd, &x);
    say_sets(select(fd + 1, &r, &w, &x, &limit), fd, &r, &w, &x);
}

void script_select_life(struct side *s)
{
    int fd = connected(s);
    struct timeval limit = { 8, 0 };
    if (s->client) {
        select_all(fd, limit);
        meet(s);
        await(fd, POLLIN);
        select_all(fd, limit);
        say_recv(fd, 2, 0);
        select_all(fd, limit);
        say_recv(fd, 20, 0);
        select_all(fd, limit);
        meet(s);
        await(fd, POLLRDHUP);
        select_all(fd, limit);
    } else {
        meet(s);
        say_send(fd, "12345", 0);
        meet(s);
        shutdown(fd, SHUT_WR);
    }
    meet(s);
}

void script_select_timeout(struct side *s)
{
    int fd = connected(s);
    struct timeval brief = { 0, 20000 }, long_one = { 8, 0 };
    fd_set r;
    if (s->client) {
        FD_ZERO(&r);
        FD_SET(fd, &r);
        said("select", select(fd + 1, &r, NULL, NULL, &brief));
        say("left %ld, the set is %s", (long)brief.tv_usec, FD_ISSET(fd, &r) ? "set" : "clear");
        meet(s);
        FD_SET(fd, &r);
        said("select", select(fd + 1, &r, NULL, NULL, &long_one));
        say("some time is left: %d", long_one.tv_sec < 8 && long_one.tv_sec > 0);
    } else {
        meet(s);
        say_send(fd, "x", 0);
    }
    meet(s);
}

void script_pselect(struct side *s)
{
    int fd = connected(s);
    struct timespec brief = { 0, 10000000 };
    fd_set r;
    if (s->client) {
        FD_ZERO(&r);
        FD_SET(fd, &r);
        said("pselect", pselect(fd + 1, &r, NULL, NULL, &brief, NULL));
        meet(s);
        FD_SET(fd, &r);
        said("pselect", pselect(fd + 1, &r, NULL, NULL, NULL, NULL));
    } else {
        meet(s);
        say_send(fd, "x", 0);
    }
    meet(s);
}

void script_select_errors(struct side *s)
{
    int fd = connected(s);
    struct timeval negative = { -1, 0 };
    fd_set r;
    FD_ZERO(&r);
    FD_SET(fd, &r);
    said("select(-1)", select(-1, &r, NULL, NULL, NULL));
    said("select(negative timeout)", select(fd + 1, &r, NULL, NULL, &negative));
    close(fd);
    said("select(closed)", select(fd + 1, &r, NULL, NULL, NULL));
}

/* Two waiters in one call: only the one with data is reported. */
void script_poll_two_connections(struct side *s)
{
    int one = connected(s), two = connected(s);
    if (s->client) {
        struct pollfd p[2] = { { one, POLLIN, 0 }, { two, POLLIN, 0 } };
        meet(s);
        said("poll", poll(p, 2, SOON));
        say("%x %x", (unsigned)p[0].revents, (unsigned)p[1].revents);
    } else {
        meet(s);
        say_send(two, "second", 0);
    }
    meet(s);
}
