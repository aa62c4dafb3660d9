/* What is said before the other side can have answered: as on plain TCP it arrives, whatever the speaker does next. */
#include "trace.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/clock.h"
#include "scripts.h"

/* The listener accepts when the client has spoken and gone. */
static void hear_late(struct side *s, int flags)
{
    int fd;
    meet(s);
    fd = accepted(s);
    nonblocking(fd, flags != 0);
    if (flags)
        say_poll(fd, POLLIN, SOON);
    say_recv(fd, 100, flags ? 0 : MSG_WAITALL);
    if (flags)
        await(fd, POLLIN);
    say_recv(fd, 100, 0);
    close(fd);
}

void script_speak_and_leave(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        say_send(fd, "no need to answer", 0);
        say_close(fd);
        meet(s);
    } else {
        hear_late(s, 0);
    }
    meet(s);
}

void script_speak_and_leave_nonblocking(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        say_connect(fd, &s->address);
        await(fd, POLLOUT);
        say_send(fd, "no need to answer", 0);
        say_close(fd);
        meet(s);
    } else {
        hear_late(s, O_NONBLOCK);
    }
    meet(s);
}

/* More than a record, all of it in one call. */
void script_speak_much_and_leave(struct side *s)
{
    enum { MUCH = 100 * 1024 };
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        char *data = malloc(MUCH);
        struct stream stream = stream_of(17);
        stream_make(&stream, data, MUCH);
        say_connect(fd, &s->address);
        await(fd, POLLOUT);
        said("send", send(fd, data, MUCH, 0));
        say_close(fd);
        free(data);
        meet(s);
    } else {
        meet(s);
        recv_stream(accepted(s), 17, MUCH, 8192);
    }
    meet(s);
}

/* A program that waits is told of a part only where something is wrong, however late the listener accepts. */
void script_speak_very_much(struct side *s)
{
    enum { MUCH = 512 * 1024, LATE = 400 };
    if (s->client) {
        int fd = tcp_socket(0);
        char *data = malloc(MUCH);
        struct stream stream = stream_of(17);
        stream_make(&stream, data, MUCH);
        say_connect(fd, &s->address);
        said("send", send(fd, data, MUCH, 0));
        tell(s, "", 1);
        say_close(fd);
        free(data);
    } else {
        struct pollfd said_all = { s->control, POLLIN, 0 };
        char byte;
        poll(&said_all, 1, LATE);
        recv_stream(accepted(s), 17, MUCH, 8192);
        hear(s, &byte, 1);
    }
    meet(s);
}

void script_speak_very_much_to_self(struct side *s)
{
    enum { MUCH = 512 * 1024 };
    struct sockaddr_in address;
    int listener, fd, other;
    char *data;
    if (!s->client)
        return;
    listener = listen_on(&address, 1);
    fd = tcp_socket(0);
    data = calloc(1, MUCH);
    said("connect", connect(fd, (struct sockaddr *)&address, sizeof address));
    other = accept(listener, NULL, NULL);
    said("send", send(fd, data, MUCH, 0));
    said("recv", recv(other, data, MUCH, MSG_WAITALL));
    free(data);
}

void script_speak_and_exit(struct side *s)
{
    if (s->client) {
        pid_t child = fork();
        if (child == 0) {
            int fd = tcp_socket(0);
            connect(fd, (const struct sockaddr *)&s->address, sizeof s->address);
            exit(send(fd, "last words", 10, 0) != 10);
        }
        meet(s); /* it may end only when it is heard */
        finish(child);
    } else {
        hear_late(s, 0);
    }
    meet(s);
}

/* A server that greets in the moment it accepts, and never looks whether it could. */
static void greet(struct side *s, bool leave)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) {
        await(s->listener, POLLIN);
        fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK);
    }
    say_send(fd, "welcome\r\n", 0);
    if (!leave) {
        await(fd, POLLIN);
        say_recv(fd, 100, 0);
    }
    say_close(fd);
}

void script_greet_nonblocking(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        say_recv(fd, 9, MSG_WAITALL);
        say_send(fd, "hello", 0);
        say_recv(fd, 100, 0);
    } else {
        greet(s, false);
    }
    meet(s);
}

void script_greet_and_leave(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        say_recv(fd, 9, MSG_WAITALL);
        say_recv(fd, 100, 0);
    } else {
        greet(s, true);
    }
    meet(s);
}

/* The number is another file's at once; the program's epoll set tells nothing of the connection that was closed. */
void script_speak_leave_and_reuse(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK), ep, ends[2];
        say_connect(fd, &s->address);
        await(fd, POLLOUT);
        ep = set_of(fd, EPOLLIN, 7);
        say_send(fd, "bye", 0);
        say_close(fd);
        if (pipe(ends) != 0)
            fail("pipe");
        meet(s);
        meet(s);
        say_epoll(ep, NOTHING);
        close(ends[0]);
        close(ends[1]);
    } else {
        hear_late(s, 0);
        meet(s);
    }
    meet(s);
}

/* Many wait for a listener that never accepts; of what was said to another one, before them or behind them, nothing is held up. */
void script_speak_among_many(struct side *s)
{
    enum {
        FEW = 3,
        MANY = 80,
        AT_ONCE_MS = 6000
    }; /* the many fail by their time-out, and then hold up nothing any more */
    struct sockaddr_in silent = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int64_t began;
    char byte;
    if (s->client) {
        hear(s, &silent.sin_port, sizeof silent.sin_port);
        for (int i = 0; i < FEW + MANY + FEW; i++) {
            int fd = tcp_socket(SOCK_NONBLOCK);
            bool heard = i < FEW || i >= FEW + MANY;
            const struct sockaddr_in *to = heard ? &s->address : &silent;
            connect(fd, (const struct sockaddr *)to, sizeof *to);
            await(fd, POLLOUT);
            if (send(fd, "first", 5, 0) != 5)
                fail("send %d", i);
        }
        began = clock_ms();
        meet(s);
        hear(s, &byte, 1); /* waits where nobody drives a handshake by the way */
        say("all but the many were heard at once %d", clock_ms() - began < AT_ONCE_MS);
    } else {
        int listener = listen_on(&silent, MANY + 10);
        tell(s, &silent.sin_port, sizeof silent.sin_port);
        meet(s);
        for (int i = 0; i < 2 * FEW; i++)
            say_recv(accepted(s), 5, MSG_WAITALL);
        tell(s, "x", 1);
        close(listener);
    }
    meet(s);
}

/* The accepted end speaks without waiting, and its own thread looks for that at once. */
void script_speak_to_myself(struct side *s)
{
    int listener, fd, end;
    if (!s->client)
        return;
    fd = connect_to_self(&listener);
    end = accept(listener, NULL, NULL);
    say_poll(fd, POLLIN, 1);
    say_send(end, "there", MSG_DONTWAIT);
    say_poll(fd, POLLIN, 1);
    say_recv(fd, 100, MSG_DONTWAIT);
}

/* What was shut down before the proof takes no more words. */
void script_speak_shut_speak(struct side *s)
{
    int listener, fd, end;
    if (!s->client)
        return;
    fd = connect_to_self(&listener);
    say_send(fd, "all there is", 0);
    said("shutdown", shutdown(fd, SHUT_WR));
    say_send(fd, "more", MSG_NOSIGNAL);
    say_send(fd, "more", 0);
    say_signals();
    end = accept(listener, NULL, NULL);
    say_recv(end, 12, MSG_WAITALL);
    say_recv(end, 100, 0);
}
