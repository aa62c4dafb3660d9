/*
 * crowd PORT IDLE BUSY ROUNDS [PIDS]: many connections of one process to the echo server at 127.0.0.1:PORT.
 *
 * IDLE are opened one after the other, a byte each way. Then BUSY more, on which ROUNDS messages each go there and back, all at the
 * same time, every message of its own content. At last each of the idle ones says one byte more. A line a step:
 *   STEP COUNT MICROSECONDS       processor time, of this process and those of the list PIDS ("12,34")
 * Then it waits for the end of its standard input. Ends with 1 where an answer is not what was sent.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../drive/clock.h"

enum { MESSAGE = 64 };

static unsigned short port;
static const char *others = "";

struct talker {
    int fd;
    uint32_t number, round, come; /* bytes of this round's answer */
};

static void die(const char *what)
{
    fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int dial(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        die("socket");
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("connect");
    return fd;
}

static void exchange(int fd, char byte)
{
    char back = 0;
    if (write(fd, &byte, 1) != 1)
        die("write");
    if (read(fd, &back, 1) != 1)
        die("read");
    if (back != byte)
        die("another byte came back");
}

static uint64_t spent_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID) + (*others ? processor_ns(others) : 0);
}

static void report(const char *step, long count, uint64_t before)
{
    printf("%s %ld %.0f\n", step, count, (double)(spent_ns() - before) / 1000);
    fflush(stdout);
}

static void open_idle(int *idle, long count)
{
    uint64_t before = spent_ns();
    for (long i = 0; i < count; i++) {
        idle[i] = dial();
        exchange(idle[i], (char)('a' + i % 26));
    }
    report("opened", count, before);
}

/* Every message is known by its connection and its round. */
static void compose(const struct talker *talker, char message[MESSAGE])
{
    uint64_t state = ((uint64_t)talker->number << 32 | talker->round) * 0x9e3779b97f4a7c15u + 1;
    for (int i = 0; i < MESSAGE; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        message[i] = (char)(state >> 56);
    }
}

static void say(struct talker *talker)
{
    char message[MESSAGE];
    compose(talker, message);
    talker->come = 0;
    if (write(talker->fd, message, MESSAGE) != MESSAGE)
        die("write");
}

/* True when the answer is whole. */
static bool hear(struct talker *talker)
{
    char message[MESSAGE], bytes[MESSAGE];
    ssize_t n = read(talker->fd, bytes, MESSAGE - talker->come);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0)
        die("read of an answer");
    compose(talker, message);
    if (memcmp(bytes, message + talker->come, (size_t)n) != 0)
        die("an answer is wrong");
    talker->come += (uint32_t)n;
    return talker->come == MESSAGE;
}

static void open_busy(int set, struct talker *talkers, long count)
{
    uint64_t before = spent_ns();
    for (long i = 0; i < count; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &talkers[i] };
        talkers[i] = (struct talker){ dial(), (uint32_t)i, 0, 0 };
        exchange(talkers[i].fd, 'x');
        if (epoll_ctl(set, EPOLL_CTL_ADD, talkers[i].fd, &event) != 0)
            die("epoll_ctl");
    }
    report("connects", count, before);
}

static void talk(int set, struct talker *talkers, long count, uint32_t rounds)
{
    uint64_t before = spent_ns();
    long left = rounds ? count : 0;
    for (long i = 0; i < left; i++)
        say(&talkers[i]);
    while (left > 0) {
        struct epoll_event events[64];
        int n = epoll_wait(set, events, 64, 20000);
        if (n <= 0)
            die("no answer for 20 s");
        for (int i = 0; i < n; i++) {
            struct talker *talker = events[i].data.ptr;
            if (!hear(talker))
                continue;
            if (++talker->round < rounds)
                say(talker);
            else
                left--;
        }
    }
    report("requests", count * (long)rounds, before);
}

static void wake_idle(const int *idle, long count)
{
    uint64_t before = spent_ns();
    for (long i = 0; i < count; i++)
        exchange(idle[i], (char)('A' + i % 26));
    report("woken", count, before);
}

/* By a reset behind the goodbye: ten thousand ports that wait for a minute would hinder others. */
static void hang_up(int fd)
{
    struct linger now = { 1, 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    long idle_count = argc > 2 ? strtol(argv[2], NULL, 10) : 0,
         busy_count = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
    int *idle = calloc((size_t)idle_count + 1, sizeof *idle), set = epoll_create1(0);
    struct talker *talkers = calloc((size_t)busy_count + 1, sizeof *talkers);
    char byte;

    if (argc < 5 || argc > 6 || !idle || !talkers || set < 0) {
        fputs("usage: crowd PORT IDLE BUSY ROUNDS [PIDS]\n", stderr);
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    port = (unsigned short)strtol(argv[1], NULL, 10);
    others = argc > 5 ? argv[5] : "";
    open_idle(idle, idle_count);
    open_busy(set, talkers, busy_count);
    talk(set, talkers, busy_count, (uint32_t)strtol(argv[4], NULL, 10));
    wake_idle(idle, idle_count);
    while (read(0, &byte, 1) > 0)
        ;
    for (long i = 0; i < idle_count; i++)
        hang_up(idle[i]);
    for (long i = 0; i < busy_count; i++)
        hang_up(talkers[i].fd);
    return 0;
}
