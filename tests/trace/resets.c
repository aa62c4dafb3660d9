/* A connection that one end resets: what the other has yet to read, and what it is told, once. */
#include "trace.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

static void reset(int fd)
{
    struct linger now = { 1, 0 };
    said("setsockopt(SO_LINGER)", setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now));
    say_close(fd);
}

void script_reset_read_twice(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        meet(s);
        await(fd, 0);
        say_recv(fd, 10, 0);
        say_recv(fd, 10, 0);
        say_send(fd, "x", MSG_NOSIGNAL);
        say_poll(fd, POLLIN | POLLOUT, SOON);
    } else {
        reset(fd);
        meet(s);
    }
    meet(s);
}

void script_reset_poll_and_so_error(struct side *s)
{
    int fd = connected_nonblocking(s);
    if (s->client) {
        int ep = epoll_create1(0);
        say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP, 1);
        meet(s);
        await(fd, 0);
        say_poll(fd, POLLIN | POLLOUT | POLLRDHUP, SOON);
        say_epoll(ep, SOON);
        say_so_error(fd);
        say_so_error(fd);
        say_recv(fd, 10, 0);
    } else {
        reset(fd);
        meet(s);
    }
    meet(s);
}

void script_reset_write(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        meet(s);
        await(fd, 0);
        say_send(fd, "x", MSG_NOSIGNAL);
        say_send(fd, "x", 0);
        say_signals();
        /* Plain TCP calls this a clean end; without close_notify it is none. */
        say("recv brings nothing %d", recv(fd, (char[10]){ 0 }, 10, 0) <= 0);
    } else {
        reset(fd);
        meet(s);
    }
    meet(s);
}

/* The call that delivers the last bytes meets the reset, too: there is room left in its buffer. */
static void reset_behind(struct side *s, int flags, bool count_first)
{
    int fd = connected(s), n = 0;
    char data[1022];
    if (s->client) {
        meet(s);
        await(fd, 0);
        if (count_first)
            said("ioctl(FIONREAD)", ioctl(fd, FIONREAD, &n));
        if (flags)
            said("recv(1022)", recv(fd, data, sizeof data, flags));
        said("recv(1022)", recv(fd, data, sizeof data, 0));
        say_recv(fd, 100, flags);
        say_recv(fd, 100, 0);
        say_recv(fd, 100, 0);
    } else {
        memset(data, 'x', sizeof data);
        for (int i = 0; i < 2; i++) {
            if (send(fd, data, 500, 0) != 500)
                fail("send");
            settle(fd);
        }
        reset(fd);
        meet(s);
    }
    meet(s);
}

void script_reset_behind_data(struct side *s)
{
    reset_behind(s, 0, false);
}

void script_reset_behind_peeked(struct side *s)
{
    reset_behind(s, MSG_PEEK, false);
}

void script_reset_behind_counted(struct side *s)
{
    reset_behind(s, 0, true);
}

/* What came before the reset is delivered first. */
void script_reset_after_data(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        meet(s);
        await(fd, 0);
        say_recv(fd, 4, 0);
        say_recv(fd, 100, 0);
        say_recv(fd, 100, 0);
        say_recv(fd, 100, 0);
    } else {
        send(fd, "last words", 10, 0);
        settle(fd);
        reset(fd);
        meet(s);
    }
    meet(s);
}

/* A blocked reader is woken by a reset. */
void script_reset_wakes_reader(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        meet(s);
        say_recv(fd, 10, 0);
        say_recv(fd, 10, 0);
    } else {
        meet(s);
        reset(fd);
    }
    meet(s);
}

/* SO_LINGER 0: a reset, with something under way and without. */
void script_linger_zero(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        meet(s);
        await(fd, POLLERR);
        say_poll(fd, POLLIN | POLLOUT, 0);
        say_recv(fd, 10, 0);
        say_recv(fd, 10, 0);
        say_send(fd, "x", MSG_NOSIGNAL);
    } else {
        reset(fd);
        meet(s);
    }
    meet(s);
}

void script_linger_zero_full(struct side *s)
{
    int fd = connected(s);
    struct stream stream = stream_of(98);
    small_buffers(fd);
    if (s->client) {
        fill(fd, &stream);
        reset(fd);
        meet(s);
    } else {
        meet(s);
        await(fd, POLLERR);
        while (recv(fd, (char[4096]){ 0 }, 4096, 0) > 0)
            continue;
        say_recv(fd, 10, 0);
    }
    meet(s);
}
