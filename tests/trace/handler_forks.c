/* Signal handlers that fork, and return into what they have interrupted in both processes. */
#include "trace.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

enum { LENGTH = 20 };

static struct side *side;
static int connection = -1;
static char text[LENGTH + 1];
static volatile pid_t child = -1; /* 0: this is one */

/* Each process has words of its own. */
static void fork_once(void)
{
    if (ticks != 3)
        return;
    child = fork();
    if (child == 0)
        memset(text, 'c', LENGTH);
    else
        tell(side, "f", 1);
}

static void say_child(void)
{
    int status = -1;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == LENGTH)
        say("the child's call came to %d", LENGTH);
    else
        say("the child's call: %s", WIFEXITED(status) ? strerrorname_np(WEXITSTATUS(status)) : "killed");
}

static int outcome(ssize_t result)
{
    return result == LENGTH ? LENGTH : result < 0 ? errno : 255;
}

/* `messages` whole ones, in any order. */
static void count_messages(int fd, int messages)
{
    int parents = 0, childs = 0;
    for (int i = 0; i < messages; i++) {
        char got[LENGTH];
        if (recv(fd, got, LENGTH, MSG_WAITALL) != LENGTH)
            fail("message %d is not there", i);
        for (int j = 1; j < LENGTH; j++)
            if (got[j] != got[0])
                fail("a message is torn");
        parents += got[0] == 'p';
        childs += got[0] == 'c';
    }
    say("%d of the parent, %d of the child", parents, childs);
}

/* In a write to a full socket. Both wait for room then, or both hear of the interruption. */
static void forks_in_send(struct side *s, int flags, ssize_t (*put)(int fd))
{
    int fd = connected(s);
    struct stream stream = stream_of(65);
    side = s;
    connection = fd;
    small_buffers(fd);
    if (s->client) {
        ssize_t result;
        fill(fd, &stream);
        tell(s, &stream.at, sizeof stream.at);
        memset(text, 'p', LENGTH);
        on_tick = fork_once;
        tick_start(flags);
        do
            result = put(fd);
        while (result < 0 && child < 0);
        if (child == 0)
            _exit(outcome(result));
        tick_stop();
        said("the parent's call", result);
        say_send(fd, "pppppppppppppppppppp", 0);
        say_child();
        say_close(fd);
    } else {
        struct stream got = stream_of(65);
        uint64_t total;
        char byte;
        hear(s, &total, sizeof total);
        hear(s, &byte, 1);
        stream_recv(&got, fd, total);
        count_messages(fd, flags & SA_RESTART ? 3 : 1);
        say_recv(fd, 1, 0);
    }
    meet(s);
}

static ssize_t by_send(int fd)
{
    return send(fd, text, LENGTH, 0);
}

static ssize_t by_writev(int fd)
{
    struct iovec spans[2] = { { text, LENGTH / 2 }, { text + LENGTH / 2, LENGTH / 2 } };
    return writev(fd, spans, 2);
}

void script_handler_forks_in_send(struct side *s)
{
    forks_in_send(s, SA_RESTART, by_send);
}

void script_handler_forks_in_writev(struct side *s)
{
    forks_in_send(s, SA_RESTART, by_writev);
}

void script_handler_forks_in_send_eintr(struct side *s)
{
    forks_in_send(s, 0, by_send);
}

/* In a read of an empty one. */
static void forks_in_recv(struct side *s, int flags)
{
    int fd = connected(s);
    side = s;
    if (s->client) {
        ssize_t result;
        on_tick = fork_once;
        tick_start(flags);
        do
            result = recv(fd, text, LENGTH, 0);
        while (result < 0 && child < 0);
        if (child == 0)
            _exit(outcome(result));
        tick_stop();
        said("the parent's call", result);
        say_child();
        meet(s);
        say_recv(fd, LENGTH, MSG_WAITALL);
        say_send(fd, "so long", 0);
        say_close(fd);
    } else {
        char byte;
        hear(s, &byte, 1);
        for (int i = 0; i < (flags & SA_RESTART ? 2 : 0); i++)
            send(fd, "ssssssssssssssssssss", LENGTH, 0);
        meet(s);
        say_send(fd, "ssssssssssssssssssss", 0);
        say_recv(fd, 7, MSG_WAITALL);
        say_recv(fd, 1, 0);
    }
    meet(s);
}

void script_handler_forks_in_recv(struct side *s)
{
    forks_in_recv(s, SA_RESTART);
}

void script_handler_forks_in_recv_eintr(struct side *s)
{
    forks_in_recv(s, 0);
}

/* ---- at every instruction ---- */

static volatile bool calling;

/* Not in the very moment in which that cannot be done right: fork may fail. */
static void fork_here(void)
{
    pid_t made;
    if (!calling || child == 0 || (made = fork()) < 0)
        return;
    child = made;
    if (made == 0)
        memset(text, 'c', LENGTH);
}

static void send_text(void)
{
    ssize_t result;
    calling = true;
    result = send(connection, text, LENGTH, 0);
    calling = false;
    if (result != LENGTH && child != 0)
        fail("the parent's send: %s", strerrorname_np(errno));
    if (child == 0)
        _exit(0);
    while (waitpid(-1, NULL, 0) > 0)
        ;
}

/* The children, too, may get their words in: each message whole, and all of the parent's. */
void script_handler_forks_anywhere(struct side *s)
{
    enum { FIRST = 41, LAST = 71 };
    int fd = connected(s);
    connection = fd;
    if (s->client) {
        for (unsigned n = FIRST; n <= LAST; n += 3) {
            memset(text, 'p', LENGTH);
            interrupt_everywhere(send_text, fork_here, n, 700);
        }
        shutdown(fd, SHUT_WR);
    } else {
        char got[LENGTH];
        int parents = 0;
        ssize_t result;
        while ((result = recv(fd, got, LENGTH, MSG_WAITALL)) == LENGTH) {
            for (int i = 1; i < LENGTH; i++)
                if (got[i] != got[0])
                    fail("a message is torn");
            parents += got[0] == 'p';
        }
        said("then", result);
        say("%d of the parent", parents);
    }
    meet(s);
}

static char last[LENGTH + 1];
static ssize_t received;

static void take_number(void)
{
    calling = true;
    received = recv(connection, text, LENGTH, MSG_WAITALL);
    calling = false;
    if (child == 0)
        _exit(0);
    while (waitpid(-1, NULL, 0) > 0)
        ;
}

/* The children take some of the numbers. What the parent gets is whole, and none comes twice. */
void script_handler_forks_anywhere_in_recv(struct side *s)
{
    enum { FIRST = 41, LAST = 71, NUMBERS = 1000 };
    int fd = connected(s);
    connection = fd;
    if (s->client) {
        unsigned n = FIRST;
        do {
            if (n <= LAST)
                interrupt_everywhere(take_number, fork_here, n, 700);
            else
                take_number();
            n += 3;
            if (received == LENGTH && memcmp(text, last, LENGTH) <= 0)
                fail("%s after %s", text, last);
            memcpy(last, text, LENGTH);
        } while (received == LENGTH);
        said("then", received);
    } else {
        for (int i = 1; i <= NUMBERS; i++) {
            snprintf(text, sizeof text, "%020d", i);
            send(fd, text, LENGTH, 0);
        }
        shutdown(fd, SHUT_WR);
    }
    meet(s);
}

/* While the allocator is at work, and a handshake is under way: the server accepts later. */
static void fork_for_nothing(void)
{
    pid_t one = _Fork();
    if (one == 0)
        _exit(0);
    if (one > 0)
        waitpid(one, NULL, 0);
}

static void allocate(void)
{
    enum { MANY = 16, LARGE = 50000 };
    void *pieces[MANY];
    for (size_t i = 0; i < MANY; i++)
        pieces[i] = malloc(LARGE - 1000 * i);
    for (size_t i = 0; i < MANY; i++)
        free(pieces[i]);
}

void script_handler_forks_in_malloc(struct side *s)
{
    int fd = -1;
    if (s->client) {
        fd = tcp_socket(0);
        say_connect(fd, &s->address);
        on_tick = fork_for_nothing;
        tick_start(SA_RESTART);
        while (ticks < 10)
            allocate();
        tick_stop();
        say("it has allocated");
    }
    meet(s);
    if (s->client)
        ask_one(s, fd);
    else
        serve_one(s);
}
