/* A connection that TCP has not made yet goes to another process: by a message, or in what the process becomes. */
#include "trace.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

/* Its queue is full: the kernel tries again in a second. */
static int begun(struct side *s, int *filler)
{
    int fd;
    *filler = crowd(s);
    if (!s->client)
        return -1;
    fd = tcp_socket(SOCK_NONBLOCK);
    say_connect(fd, &s->address);
    return fd;
}

/* The server hears the question of whoever has it in the end. */
static void see_it_asked(struct side *s, int filler, pid_t child)
{
    make_room(s, filler);
    if (s->client) {
        finish(child);
        meet(s);
    } else {
        serve_one(s);
    }
}

/* To a child that was there before; the sender lets go, or keeps a copy that it never looks at. */
static void pass_connecting(struct side *s, bool keep)
{
    int ends[2], filler, fd;
    pid_t child = -1;
    if (s->client) {
        pair_of(ends);
        child = fork();
        if (child == 0) {
            close(ends[0]);
            fd = take_one(ends[1]);
            say_poll(fd, POLLOUT, 0);
            say_so_error(fd);
            say_send(ends[1], "made?", 0);
            ask_when_made(fd);
            _exit(0);
        }
        close(ends[1]);
    }
    fd = begun(s, &filler);
    if (s->client) {
        char told[5];
        pass(ends[0], &fd, 1);
        if (!keep)
            close(fd);
        recv(ends[0], told, sizeof told, MSG_WAITALL);
    }
    see_it_asked(s, filler, child);
}

void script_pass_connecting(struct side *s)
{
    pass_connecting(s, false);
}

void script_pass_connecting_and_keep(struct side *s)
{
    pass_connecting(s, true);
}

void script_exec_connecting(struct side *s)
{
    int filler, fd = begun(s, &filler);
    pid_t child = -1;
    if (s->client) {
        child = start_program("ask", fd, NULL, NULL);
        close(fd);
    }
    see_it_asked(s, filler, child);
}
