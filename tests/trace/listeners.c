/* What nginx, php-fpm and others tell their listeners and ask of them; signal-driven input. */
#include "trace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

static void set(int fd, int level, int name, int value, const char *label)
{
    said(label, setsockopt(fd, level, name, &value, sizeof value));
}

/* Nobody is woken before the client speaks. */
void script_defer_accept(struct side *s)
{
    if (s->client) {
        int fd;
        meet(s);
        fd = tcp_socket(0);
        say_connect(fd, &s->address);
        ask_one(s, fd);
    } else {
        set(s->listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5, "TCP_DEFER_ACCEPT");
        meet(s);
        serve_one(s);
    }
}

/* Two listeners on one port, as nginx' workers have them: each connection comes to one, and closing one leaves the other. */
void script_reuseport(struct side *s)
{
    enum { MANY = 8 };
    struct sockaddr_in address = s->address;
    if (s->client) {
        hear(s, &address, sizeof address);
        for (int i = 0; i < MANY + 1; i++) {
            int fd = tcp_socket(0);
            say_connect(fd, &address);
            say_send(fd, "question", 0);
            say_recv(fd, 6, MSG_WAITALL);
            say_recv(fd, 6, 0);
            close(fd);
        }
    } else {
        struct pollfd p[2];
        socklen_t length = sizeof address;
        int left = MANY;
        address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        for (int i = 0; i < 2; i++) {
            p[i] = (struct pollfd){ tcp_socket(0), POLLIN, 0 };
            set(p[i].fd, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
            said("bind", bind(p[i].fd, (struct sockaddr *)&address, sizeof address));
            getsockname(p[i].fd, (struct sockaddr *)&address, &length);
            said("listen", listen(p[i].fd, 16));
        }
        tell(s, &address, sizeof address);
        while (left >= 0) {
            if (left == 0 && p[1].fd >= 0) { /* one of them goes */
                close(p[1].fd);
                p[1].fd = -1;
            }
            if (poll(p, 2, SOON) <= 0)
                fail("poll");
            for (int i = 0; i < 2; i++) {
                if (p[i].revents & POLLIN) {
                    int fd = accept(p[i].fd, NULL, NULL);
                    say_recv(fd, 8, MSG_WAITALL);
                    say_send(fd, "answer", 0);
                    close(fd);
                    left--;
                }
            }
        }
    }
    meet(s);
}

/* php-fpm asks a listener for its queue. */
void script_tcp_info_listener(struct side *s)
{
    if (!s->client) {
        struct tcp_info info;
        socklen_t length = sizeof info;
        memset(&info, 0, sizeof info);
        said("TCP_INFO", getsockopt(s->listener, IPPROTO_TCP, TCP_INFO, &info, &length));
        say("state %d, in the queue %u of %u", info.tcpi_state, info.tcpi_unacked, info.tcpi_sacked);
        say_option(s->listener, SOL_SOCKET, SO_ACCEPTCONN, "SO_ACCEPTCONN");
    }
    meet(s);
}

/* HAProxy's and others' options, given when they like, and there afterwards. */
void script_more_options(struct side *s)
{
    int fd = s->client ? tcp_socket(0) : accepted(s);
    if (s->client) {
        set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 30000, "TCP_USER_TIMEOUT");
        set(fd, SOL_SOCKET, SO_PRIORITY, 4, "SO_PRIORITY");
        say_connect(fd, &s->address);
    }
    set(fd, IPPROTO_TCP, TCP_QUICKACK, 0, "TCP_QUICKACK");
    set(fd, IPPROTO_TCP, TCP_QUICKACK, 1, "TCP_QUICKACK");
    set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16384, "TCP_NOTSENT_LOWAT");
    set(fd, IPPROTO_IP, IP_TOS, 16, "IP_TOS");
    if (s->client)
        ask_one(s, fd);
    else {
        say_recv(fd, 8, MSG_WAITALL);
        say_send(fd, "answer", 0);
        meet(s);
    }
    say_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, "TCP_USER_TIMEOUT");
    say_option(fd, SOL_SOCKET, SO_PRIORITY, "SO_PRIORITY");
    say_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, "TCP_NOTSENT_LOWAT");
    say_option(fd, IPPROTO_IP, IP_TOS, "IP_TOS");
}

/* ---- SIGIO ---- */

static volatile sig_atomic_t called;

static void handle_io(int number)
{
    (void)number;
    called = 1;
}

static void until_called(const char *what)
{
    for (int i = 0; !called && i < SOON; i++)
        poll(NULL, 0, 1);
    say("%s: called %d", what, (int)called);
    called = 0;
}

static void by_signal(int fd)
{
    struct sigaction action = { .sa_handler = handle_io, .sa_flags = SA_RESTART };
    sigaction(SIGIO, &action, NULL);
    said("F_SETOWN", fcntl(fd, F_SETOWN, getpid()));
    said("F_SETFL", fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC));
}

/* The kernel calls when something comes, and when the peer goes. */
void script_signal_driven(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        by_signal(fd);
        called = 0;
        let_peer_send(s);
        until_called("bytes");
        say_recv(fd, 100, 0);
        say_recv(fd, 100, 0);
        called = 0;
        meet(s);
        until_called("the end");
        await(fd, POLLRDHUP);
        say_recv(fd, 100, 0);
    } else {
        deliver(s, fd, "hello");
        meet(s);
        shutdown(fd, SHUT_WR);
    }
    meet(s);
}

/* From accept on: the server learns of the first bytes by a signal, and tries to read them whenever it is called. */
void script_signal_driven_first(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        meet(s);
        ask_one(s, fd);
    } else {
        int fd = accepted(s);
        char text[100];
        ssize_t got;
        by_signal(fd);
        meet(s);
        for (int i = 0; (got = recv(fd, text, sizeof text, 0)) < 0 && errno == EAGAIN && i < SOON; i++) {
            while (!called && i++ < SOON)
                poll(NULL, 0, 1);
            called = 0;
        }
        say_bytes("recv", got, text);
        say_send(fd, "answer", 0);
        meet(s);
    }
}
