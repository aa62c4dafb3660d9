/* Connections that are over before anybody has said a word: as on plain TCP they were made, and came to an end. */
#include "trace.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

/* How the end is brought about. */
typedef void ending(int fd);

static void closes(int fd)
{
    say_close(fd);
}

static void shuts_writing(int fd)
{
    said("shutdown", shutdown(fd, SHUT_WR));
    say_close(fd);
}

static void shuts_both(int fd)
{
    said("shutdown", shutdown(fd, SHUT_RDWR));
    say_close(fd);
}

static void shuts_and_waits(int fd)
{
    said("shutdown", shutdown(fd, SHUT_RDWR));
    say_recv(fd, 10, 0);
    say_close(fd);
}

static void dismiss(struct side *s, ending *end)
{
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        say_recv(fd, 10, 0);
        say_recv(fd, 10, 0);
    } else {
        end(accepted(s));
    }
    meet(s);
}

void script_accept_close(struct side *s)
{
    dismiss(s, closes);
}

void script_accept_shut_writing_close(struct side *s)
{
    dismiss(s, shuts_writing);
}

void script_accept_shut_both_close(struct side *s)
{
    dismiss(s, shuts_both);
}

void script_accept_shut_both_read(struct side *s)
{
    dismiss(s, shuts_and_waits);
}

/* Without a wait anywhere, the whole process is gone a moment later. */
void script_accept_exit(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        say_recv(fd, 10, 0);
    } else {
        pid_t child = fork();
        if (child == 0) {
            accepted(s);
            exit(0);
        }
        finish(child);
    }
    meet(s);
}

/* The parent closes what its child serves. */
void script_accept_fork_close(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        say_recv(fd, 7, MSG_WAITALL);
        say_recv(fd, 10, 0);
    } else {
        int fd = accepted(s), closed[2];
        pid_t child;
        if (pipe(closed))
            fail("pipe");
        child = fork();
        if (child == 0) {
            char byte;
            close(closed[1]);
            if (read(closed[0], &byte, 1) != 0) /* the end of it: the parent has closed */
                _exit(2);
            _exit(send(fd, "welcome", 7, 0) != 7);
        }
        say_close(fd);
        close(closed[1]);
        finish(child);
    }
    meet(s);
}

void script_accept_close_nonblocking(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        say_connect(fd, &s->address);
        await(fd, POLLOUT);
        say_so_error(fd);
        await(fd, POLLIN);
        say_recv(fd, 10, 0);
    } else {
        say_close(accepted(s));
    }
    meet(s);
}

/* Many at once: there is a limit to what is brought to an end for the program, and it is not as low as this. */
void script_accept_close_many(struct side *s)
{
    enum { MANY = 12 };
    int fds[MANY], done = 0;
    for (int i = 0; i < MANY; i++)
        fds[i] = s->client ? tcp_socket(SOCK_NONBLOCK) : -1;
    if (s->client) {
        for (int i = 0; i < MANY; i++)
            connect(fds[i], (const struct sockaddr *)&s->address, sizeof s->address);
        meet(s);
        for (int i = 0; i < MANY; i++) {
            char byte;
            await(fds[i], POLLIN);
            done += recv(fds[i], &byte, 1, 0) == 0;
        }
        say("%d ends", done);
    } else {
        meet(s);
        for (int i = 0; i < MANY; i++)
            fds[i] = accepted(s);
        for (int i = 0; i < MANY; i++)
            close(fds[i]);
    }
    meet(s);
}

/* ---- the other way round ---- */

static void call_and_go(struct side *s, int flags, ending *end)
{
    if (s->client) {
        int fd = tcp_socket(flags);
        say_connect(fd, &s->address);
        if (flags)
            await(fd, POLLOUT);
        end(fd);
        meet(s);
    } else {
        int fd;
        meet(s);
        fd = accepted(s);
        say_recv(fd, 10, 0);
        say_recv(fd, 10, 0);
    }
    meet(s);
}

void script_connect_close(struct side *s)
{
    call_and_go(s, 0, closes);
}

void script_connect_shut_writing_close(struct side *s)
{
    call_and_go(s, 0, shuts_writing);
}

void script_connect_shut_both_close(struct side *s)
{
    call_and_go(s, 0, shuts_both);
}

void script_connect_close_nonblocking(struct side *s)
{
    call_and_go(s, SOCK_NONBLOCK, closes);
}

/* It has not even looked whether it is connected. */
void script_connect_close_unseen(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        said("connect", connect(fd, (const struct sockaddr *)&s->address, sizeof s->address));
        say_close(fd);
        meet(s);
    } else {
        int fd;
        meet(s);
        fd = accepted(s);
        say_recv(fd, 10, 0);
    }
    meet(s);
}

void script_connect_shut_unseen(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(SOCK_NONBLOCK);
        said("connect", connect(fd, (const struct sockaddr *)&s->address, sizeof s->address));
        said("shutdown", shutdown(fd, SHUT_WR));
        meet(s);
        await(fd, POLLIN);
        say_recv(fd, 10, 0);
    } else {
        int fd;
        meet(s);
        fd = accepted(s);
        say_recv(fd, 10, 0);
        say_send(fd, "and yet", 0);
    }
    meet(s);
}

/*
 * The whole process ends, too, while the server is busy (it may be waiting for that very end): it does not stay for a proof that nobody
 * gives. What the server sees of it later is left out: it comes too late to be proved.
 */
void script_connect_close_exit(struct side *s)
{
    if (s->client) {
        struct timespec begun, ended;
        pid_t child;
        clock_gettime(CLOCK_MONOTONIC, &begun);
        child = fork();
        if (child == 0) {
            int fd = tcp_socket(0);
            say_connect(fd, &s->address);
            say_close(fd);
            exit(0);
        }
        finish(child);
        clock_gettime(CLOCK_MONOTONIC, &ended);
        say("it took %s", ended.tv_sec - begun.tv_sec < 4 ? "a moment" : "its time");
    }
    meet(s);
}

/* One thread holds both ends; either closes first. */
static void alone(struct side *s, bool server_first)
{
    int listener, fd, other;
    if (!s->client)
        return;
    fd = connect_to_self(&listener);
    other = accept(listener, NULL, NULL);
    say_close(server_first ? other : fd);
    say_recv(server_first ? fd : other, 10, 0);
    say_close(server_first ? fd : other);
    close(listener);
}

void script_alone_accept_close(struct side *s)
{
    alone(s, true);
}

void script_alone_connect_close(struct side *s)
{
    alone(s, false);
}
