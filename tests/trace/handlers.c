/* Signal handlers that do more than count: they close, write, connect, and leave by longjmp. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

static int handled = -1; /* the descriptor that the handler is about */
static struct sockaddr_in server;
static volatile int failed;

static void close_it(void)
{
    if (ticks == 3)
        close(handled);
}

static void shut_it_down(void)
{
    if (ticks == 3)
        shutdown(handled, SHUT_RDWR);
}

static void handler_ends(struct side *s, void (*handler)(void), int flags)
{
    int fd = connected(s);
    if (s->client) {
        handled = fd;
        on_tick = handler;
        tick_start(flags);
        say_recv(fd, 10, 0);
        while (ticks < 4)
            poll(NULL, 0, 1);
        tick_stop();
        say_recv(fd, 10, 0);
        say_send(fd, "x", MSG_NOSIGNAL);
        say_close(fd);
        say("the number is free: %d", dup(0) == fd);
    } else {
        say_recv(fd, 10, 0);
    }
    meet(s);
}

void script_handler_closes(struct side *s)
{
    handler_ends(s, close_it, SA_RESTART);
}

void script_handler_closes_eintr(struct side *s)
{
    handler_ends(s, close_it, 0);
}

void script_handler_shuts_down(struct side *s)
{
    handler_ends(s, shut_it_down, SA_RESTART);
}

static void write_it(void)
{
    if (ticks <= 3 && send(handled, "tick", 4, 0) != 4)
        failed++;
}

/* The handler talks on the connection on which the program waits. */
void script_handler_writes(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        handled = fd;
        on_tick = write_it;
        tick_start(SA_RESTART);
        say_recv(fd, 10, 0);
        tick_stop();
        say("failed %d", failed);
    } else {
        say_recv(fd, 12, MSG_WAITALL);
        say_send(fd, "enough", 0);
    }
    meet(s);
}

/* ---- at every instruction ---- */

static void (*interrupting)(void);
static unsigned every, instructions, most;

static void handle_interrupt(int number)
{
    int saved = errno;
    (void)number;
    interrupting();
    errno = saved;
}

/* Not for ever: what the handlers leave to do for the program that they interrupt would never end. */
static void handle_instruction(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    if (++instructions % every == 0)
        raise(SIGUSR1);
#if defined(__x86_64__)
    if (instructions >= most)
        ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)0x100;
#else
    (void)context;
#endif
}

/* The processor's own single step: what follows is interrupted after each instruction. */
static inline void step(bool on)
{
#if defined(__x86_64__)
    if (on)
        __asm__ volatile("subq $128, %%rsp; pushfq; orq $0x100, (%%rsp); popfq; addq $128, %%rsp" ::
                             : "memory", "cc");
    else
        __asm__ volatile("subq $128, %%rsp; pushfq; andq $~0x100, (%%rsp); popfq; addq $128, %%rsp" ::
                             : "memory", "cc");
#else
    (void)on;
#endif
}

void interrupt_everywhere(void (*call)(void), void (*handler)(void), unsigned n, unsigned until)
{
    struct sigaction trap = { .sa_sigaction = handle_instruction, .sa_flags = SA_SIGINFO },
                     user = { .sa_handler = handle_interrupt };
    sigaction(SIGTRAP, &trap, NULL);
    sigaction(SIGUSR1, &user, NULL);
    interrupting = handler;
    every = n;
    most = until;
    instructions = 0;
    step(true);
    call();
    step(false);
}

static int said_by_handler;

static void interject(void)
{
    if (send(handled, "hhhhhhhhhhhhhhhhhhhh", 20, 0) == 20)
        said_by_handler++;
    else
        failed++;
}

static void say_something(void)
{
    if (send(handled, "mmmmmmmmmmmmmmmmmmmm", 20, 0) != 20)
        failed++;
}

/* The handler and the program that it interrupts write to the same connection: every message arrives, none is torn. */
void script_handler_writes_in_between(struct side *s)
{
    enum { LENGTH = 20 };
    int fd = connected(s), counts[2] = { 0, 0 };
    if (s->client) {
        handled = fd;
        for (unsigned n = 21; n < 36; n++)
            interrupt_everywhere(say_something, interject, n, 1600);
        shutdown(fd, SHUT_WR);
        say("the handler wrote, failed %d", failed);
        counts[0] = said_by_handler;
        tell(s, counts, sizeof counts[0]);
    } else {
        char text[LENGTH];
        ssize_t got;
        int told;
        while ((got = recv(fd, text, sizeof text, MSG_WAITALL)) == LENGTH) {
            for (int i = 1; i < LENGTH; i++)
                if (text[i] != text[0])
                    fail("a message is torn");
            counts[text[0] == 'h']++;
        }
        hear(s, &told, sizeof told);
        said("then", got);
        say("%d messages; the handler's are all there: %d", counts[0], counts[1] == told);
    }
    meet(s);
}

static int connecting(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(fd, (struct sockaddr *)&server, sizeof server);
    return fd;
}

static void connect_and_close(void)
{
    close(connecting());
}

/* Some come, some go, in another order than they came. */
static void connect_one_close_another(void)
{
    static int open[5] = { -1, -1, -1, -1, -1 };
    static unsigned turn;
    int *place = &open[turn++ * 3 % 5];
    if (*place >= 0)
        close(*place);
    *place = turn % 7 ? connecting() : -1;
}

/* Connections are begun and given up by a handler while the program that it interrupts does the same. */
void script_handler_connects(struct side *s)
{
    if (s->client) {
        int fd;
        server = s->address;
        for (unsigned n = 1; n < 4; n++)
            interrupt_everywhere(connect_and_close, connect_one_close_another, n, 12000);
        disperse(s);
        fd = tcp_socket(0);
        say_connect(fd, &s->address);
        ask_one(s, fd);
    } else {
        disperse(s);
        serve_one(s);
    }
}

/* ---- longjmp ---- */

static sigjmp_buf out;

static void leave(void)
{
    if (ticks == 3)
        siglongjmp(out, 1);
}

/* As ftp, telnet and wget end what takes too long. The descriptor and what comes over it are as before. */
void script_handler_longjmp(struct side *s)
{
    int fd = connected(s);
    wait_begin();
    for (volatile size_t i = 0; i < wait_call_count; i++) {
        if (s->client) {
            on_tick = leave;
            if (sigsetjmp(out, 1) == 0) {
                tick_start(SA_RESTART);
                wait_calls[i].run(fd);
                say("%s came back", wait_calls[i].name);
            }
            tick_stop();
        }
        meet(s);
        say_send(fd, "go on", 0);
        say_recv(fd, 5, MSG_WAITALL);
        meet(s);
    }
    wait_end();
}

void script_handler_longjmp_first(struct side *s)
{
    wait_begin();
    for (volatile size_t i = 0; i < wait_call_count; i++) {
        volatile int fd;
        if (s->client) {
            fd = tcp_socket(0);
            connect(fd, (struct sockaddr *)&s->address, sizeof s->address);
        } else {
            fd = accepted(s);
            on_tick = leave;
            if (sigsetjmp(out, 1) == 0) {
                tick_start(SA_RESTART);
                wait_calls[i].run(fd);
                say("%s came back", wait_calls[i].name);
            }
            tick_stop();
        }
        meet(s);
        say_send(fd, "go on", 0);
        say_recv(fd, 5, MSG_WAITALL);
        meet(s);
        close(fd);
    }
    wait_end();
}

/* wget's time-out for connect. */
void script_handler_longjmp_connect(struct side *s)
{
    int filler = crowd(s);
    if (s->client) {
        int fd = tcp_socket(0);
        on_tick = leave;
        if (sigsetjmp(out, 1) == 0) {
            tick_start(SA_RESTART);
            say_connect(fd, &s->address);
        }
        tick_stop();
        say("still blocking %d", !(fcntl(fd, F_GETFL) & O_NONBLOCK));
        close(fd);
        make_room(s, filler);
        fd = tcp_socket(0);
        say_connect(fd, &s->address);
        ask_one(s, fd);
    } else {
        make_room(s, filler);
        serve_one(s);
    }
}

static void leave_at_once(void)
{
    siglongjmp(out, 1);
}

/* Out of a zero-copy call that waits for room in the middle of its bytes: those that went are in order, and end with the connection. */
void script_handler_longjmp_zerocopy(struct side *s)
{
    enum { TOTAL = 3000000 };
    int fd = connected(s);
    small_buffers(fd);
    if (s->client) {
        static char block[TOTAL];
        struct stream stream = stream_of(65);
        int on = 1;
        stream_make(&stream, block, sizeof block);
        said("SO_ZEROCOPY", setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on));
        on_tick = leave_at_once;
        if (sigsetjmp(out, 1) == 0) {
            tick_start(SA_RESTART);
            said("send", send(fd, block, sizeof block, MSG_ZEROCOPY));
        }
        tick_stop();
        meet(s);
        say_close(fd);
        meet(s);
    } else {
        struct stream got = stream_of(65);
        char data[4096];
        ssize_t n;
        meet(s);
        meet(s);
        while ((n = recv(fd, data, sizeof data, 0)) > 0)
            if (!stream_got(&got, data, (size_t)n))
                fail("wrong at %llu", (unsigned long long)got.at);
        say("some of it %d, and the end %zd", got.at > 0, n);
    }
    meet(s);
}

/* Out of a write to a full socket: what went before arrives in order. */
void script_handler_longjmp_send(struct side *s)
{
    int fd = connected(s);
    struct stream stream = stream_of(64);
    small_buffers(fd);
    if (s->client) {
        fill(fd, &stream);
        on_tick = leave;
        if (sigsetjmp(out, 1) == 0) {
            tick_start(SA_RESTART);
            say_send(fd, "never", 0);
        }
        tick_stop();
        tell(s, &stream.at, sizeof stream.at);
        say_close(fd);
        meet(s);
    } else {
        struct stream got = stream_of(64);
        uint64_t total;
        hear(s, &total, sizeof total);
        meet(s);
        stream_recv(&got, fd, total);
        say("all of it");
    }
    meet(s);
}
