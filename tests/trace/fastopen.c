/* Connecting by the first bytes: MSG_FASTOPEN and TCP_FASTOPEN_CONNECT. */
#include "trace.h"

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

static void listen_fast(struct side *s)
{
    int queue = 5;
    if (!s->client && setsockopt(s->listener, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof queue))
        fail("TCP_FASTOPEN");
    meet(s);
}

static void answer(struct side *s, const char *expected)
{
    int fd = accepted(s);
    say_recv(fd, strlen(expected), MSG_WAITALL);
    say_send(fd, "answer", 0);
    meet(s);
    close(fd);
}

static ssize_t send_first(struct side *s, int fd, int how, const char *text)
{
    struct iovec v = { (void *)(uintptr_t)text, strlen(text) };
    struct mmsghdr one = { .msg_hdr = { .msg_name = &s->address,
                                        .msg_namelen = sizeof s->address,
                                        .msg_iov = &v,
                                        .msg_iovlen = 1 } };
    int sent;
    if (how == 0)
        return sendto(fd, text, v.iov_len, MSG_FASTOPEN, (struct sockaddr *)&s->address, sizeof s->address);
    if (how == 1)
        return sendmsg(fd, &one.msg_hdr, MSG_FASTOPEN);
    sent = sendmmsg(fd, &one, 1, MSG_FASTOPEN);
    return sent == 1 ? (ssize_t)one.msg_len : sent;
}

/* By every call, twice: the second time with what the first has learnt of the server. */
void script_fastopen(struct side *s)
{
    static const char *const calls[] = { "sendto", "sendmsg", "sendmmsg" };
    listen_fast(s);
    for (int i = 0; i < 6; i++) {
        if (s->client) {
            int fd = tcp_socket(0);
            said(calls[i % 3], send_first(s, fd, i % 3, "first bytes"));
            say_names(fd, s);
            say_recv(fd, 6, MSG_WAITALL);
            said("again", send_first(s, fd, i % 3, "x") < 0 ? -1 : 0);
            meet(s);
            close(fd);
        } else {
            answer(s, "first bytes");
        }
        meet(s);
    }
}

/* On a non-blocking socket nothing waits: the connection is under way, the bytes are for later or are taken. */
void script_fastopen_nonblocking(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        ssize_t put;
        said("sendto", put = send_first(s, fd, 0, "first bytes"));
        await(fd, POLLOUT);
        say_so_error(fd);
        if (put < 0)
            say_send(fd, "first bytes", 0);
        nonblocking(fd, false);
        say_recv(fd, 6, MSG_WAITALL);
        meet(s);
    } else {
        answer(s, "first bytes");
    }
}

void script_fastopen_refused(struct side *s)
{
    struct sockaddr_in nobody;
    int holder = bound_port(&nobody), fd = tcp_socket(0);
    said("sendto", sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&nobody, sizeof nobody));
    said("sendto(no address)", sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, NULL, 0));
    close(fd);
    close(holder);
    (void)s;
}

/* connect succeeds before anything is sent; the first write connects. */
void script_fastopen_connect(struct side *s)
{
    listen_fast(s);
    for (int i = 0; i < 2; i++) {
        if (s->client) {
            int fd = tcp_socket(0), on = 1;
            said("TCP_FASTOPEN_CONNECT", setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on));
            say_connect(fd, &s->address);
            say_send(fd, "first bytes", 0);
            say_recv(fd, 6, MSG_WAITALL);
            meet(s);
            close(fd);
        } else {
            answer(s, "first bytes");
        }
        meet(s);
    }
}
