/* What a socket says of itself, and what it is told. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

static void set(int fd, int level, int name, int value, const char *label)
{
    char call[64];
    snprintf(call, sizeof call, "set %s %d", label, value);
    said(call, setsockopt(fd, level, name, &value, sizeof value));
}

static void say_all_options(int fd)
{
    say_option(fd, SOL_SOCKET, SO_TYPE, "SO_TYPE");
    say_option(fd, SOL_SOCKET, SO_DOMAIN, "SO_DOMAIN");
    say_option(fd, SOL_SOCKET, SO_PROTOCOL, "SO_PROTOCOL");
    say_option(fd, SOL_SOCKET, SO_ACCEPTCONN, "SO_ACCEPTCONN");
    say_option(fd, SOL_SOCKET, SO_KEEPALIVE, "SO_KEEPALIVE");
    say_option(fd, SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR");
    say_option(fd, SOL_SOCKET, SO_RCVLOWAT, "SO_RCVLOWAT");
    say_option(fd, IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY");
    say_option(fd, IPPROTO_TCP, TCP_CORK, "TCP_CORK");
    say_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, "TCP_KEEPIDLE");
    say_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, "TCP_DEFER_ACCEPT");
    say_so_error(fd);
}

void script_options_over_life(struct side *s)
{
    int fd;
    if (s->client) {
        fd = tcp_socket(0);
        say_all_options(fd);
        set(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
        said("connect", connect(fd, (struct sockaddr *)&s->address, sizeof s->address));
    } else {
        say_all_options(s->listener);
        fd = accepted(s);
    }
    say_send(fd, "x", 0);
    say_recv(fd, 1, 0);
    say_all_options(fd);
    set(fd, IPPROTO_TCP, TCP_NODELAY, 0, "TCP_NODELAY");
    set(fd, IPPROTO_TCP, TCP_CORK, 1, "TCP_CORK");
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE");
    say_all_options(fd);
    meet(s);
}

/* TCP_CORK and TCP_NODELAY set while the connection is being made are what the program sees afterwards. */
void script_options_set_while_pending(struct side *s)
{
    int fd;
    if (s->client) {
        fd = tcp_socket(SOCK_NONBLOCK);
        said("connect", connect(fd, (struct sockaddr *)&s->address, sizeof s->address));
    } else {
        fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK);
    }
    say_option(fd, IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY");
    set(fd, IPPROTO_TCP, TCP_CORK, 1, "TCP_CORK");
    await(fd, POLLOUT);
    say_option(fd, IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY");
    say_option(fd, IPPROTO_TCP, TCP_CORK, "TCP_CORK");
    set(fd, IPPROTO_TCP, TCP_CORK, 0, "TCP_CORK");
    nonblocking(fd, false);
    say_send(fd, "x", 0);
    say_recv(fd, 1, 0);
    meet(s);
}

void script_option_errors(struct side *s)
{
    int fd = connected(s), value = 0;
    socklen_t length = sizeof value;
    said("get unknown", getsockopt(fd, SOL_SOCKET, 9999, &value, &length));
    said("set unknown", setsockopt(fd, SOL_SOCKET, 9999, &value, sizeof value));
    said("set short", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, 1));
    said("set bad pointer", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (void *)8, sizeof value));
    said("get bad pointer", getsockopt(fd, SOL_SOCKET, SO_ERROR, (void *)8, &length));
    length = 2;
    said("get SO_ERROR short", getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length));
    say("length %u", length);
    said("get -1", getsockopt(-1, SOL_SOCKET, SO_ERROR, &value, &length));
    said("get from control", getsockopt(fd, 255, 1, &value, &length));
    said("getpeername bad pointer", getpeername(fd, (struct sockaddr *)8, &length));
    length = 3;
    said("getpeername short", getpeername(fd, (struct sockaddr *)&value, &length));
    say("length %u", length);
    said("getpeername -1", getpeername(-1, (struct sockaddr *)&value, &length));
    meet(s);
}

void script_tcp_info_state(struct side *s)
{
    int fd = connected(s);
    struct tcp_info info;
    socklen_t length = sizeof info;
    said("getsockopt(TCP_INFO)", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
    say("established %d", info.tcpi_state == TCP_ESTABLISHED);
    meet(s);
}

/* O_NONBLOCK switched on and off by fcntl and ioctl while the connection lives. */
void script_nonblock_toggled(struct side *s)
{
    int fd = connected(s), on = 1, off = 0;
    if (s->client) {
        say("NONBLOCK %d", !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
        said("F_SETFL", fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK));
        say_recv(fd, 1, 0);
        said("F_SETFL", fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK));
        meet(s);
        say_recv(fd, 10, 0);
        said("FIONBIO on", ioctl(fd, FIONBIO, &on));
        say("NONBLOCK %d", !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
        say_recv(fd, 1, 0);
        said("FIONBIO off", ioctl(fd, FIONBIO, &off));
        meet(s);
        say_recv(fd, 10, 0);
        said("FIONBIO bad pointer", ioctl(fd, FIONBIO, (int *)8));
        said("FIONREAD bad pointer", ioctl(fd, FIONREAD, (int *)8));
        said("ioctl unknown", ioctl(fd, 0xdead, &on));
    } else {
        meet(s);
        say_send(fd, "first", 0);
        meet(s);
        say_send(fd, "second", 0);
    }
    meet(s);
}

/* Made non-blocking before connect by each of the three ways. */
void script_nonblock_before_connect(struct side *s)
{
    int on = 1;
    for (int way = 0; way < 3; way++) {
        if (s->client) {
            int fd = tcp_socket(way == 0 ? SOCK_NONBLOCK : 0);
            if (way == 1)
                fcntl(fd, F_SETFL, O_NONBLOCK);
            if (way == 2)
                ioctl(fd, FIONBIO, &on);
            said("connect", connect(fd, (struct sockaddr *)&s->address, sizeof s->address));
            await(fd, POLLOUT);
            say_so_error(fd);
            say_recv(fd, 1, 0);
            nonblocking(fd, false);
            say_send(fd, "hello", 0);
            say_recv(fd, 10, 0);
        } else {
            int fd = accepted(s);
            say_recv(fd, 10, 0);
            say_send(fd, "hello", 0);
        }
        meet(s);
    }
}

void script_descriptor_flags(struct side *s)
{
    int fd = connected(s);
    say("FD flags %d", fcntl(fd, F_GETFD));
    said("F_SETFD", fcntl(fd, F_SETFD, FD_CLOEXEC));
    say("FD flags %d", fcntl(fd, F_GETFD));
    say("access mode %s", (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR ? "RDWR" : "another");
    said("F_DUPFD", fcntl(fd, F_DUPFD, 200) == 200 ? 0 : -1);
    say("FD flags %d", fcntl(200, F_GETFD));
    said("F_DUPFD(bad)", fcntl(fd, F_DUPFD, -1));
    said("fcntl(bad)", fcntl(fd, 7777));
    said("F_GETOWN", fcntl(fd, F_GETOWN));
    meet(s);
}
