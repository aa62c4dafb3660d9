/* Descriptors that one thread takes away while another one uses them. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

struct worker {
    long (*run)(int fd);
    int fd;
    long result;
    int error;
    _Atomic int thread;
    pthread_t id;
};

static void *work(void *argument)
{
    struct worker *w = argument;
    atomic_store(&w->thread, gettid());
    w->result = w->run(w->fd);
    w->error = errno;
    return NULL;
}

static void begin(struct worker *w)
{
    pthread_create(&w->id, NULL, work, w);
    while (atomic_load(&w->thread) == 0)
        poll(NULL, 0, 1);
    asleep(atomic_load(&w->thread));
}

static void join(struct worker *w, const char *name)
{
    pthread_join(w->id, NULL);
    errno = w->error;
    said(name, w->result);
}

static long read_text(int fd)
{
    char text[100];
    long n = recv(fd, text, sizeof text, 0);
    if (n == 4 && memcmp(text, "late", 4) != 0)
        fail("other bytes");
    return n;
}

static long poll_in(int fd)
{
    struct pollfd p = { fd, POLLIN, 0 };
    return poll(&p, 1, SOON) == 1 ? p.revents : -1;
}

/* The reader goes on with what it reads, as if it had the descriptor. */
static void close_while(struct side *s, long (*run)(int fd), const char *name)
{
    int fd = connected(s);
    if (s->client) {
        struct worker w = { .run = run, .fd = fd };
        char byte;
        begin(&w);
        say_close(fd);
        said("recv", recv(fd, &byte, 1, 0));
        say_close(fd);
        meet(s);
        join(&w, name);
        meet(s);
    } else {
        meet(s);
        say_send(fd, "late", 0);
        meet(s);
        said("the end", recv(fd, (char[10]){ 0 }, 10, 0) > 0);
    }
    meet(s);
}

void script_close_while_reading(struct side *s)
{
    close_while(s, read_text, "recv in the thread");
}

void script_close_while_polling(struct side *s)
{
    close_while(s, poll_in, "poll in the thread");
}

/* From a set the descriptor just vanishes. */
static int the_set;

static long wait_for_set(int fd)
{
    struct epoll_event event;
    (void)fd;
    return epoll_wait(the_set, &event, 1, SOON) == 1 ? (long)event.data.u64 : -1;
}

void script_close_while_in_epoll(struct side *s)
{
    int fd = connected(s), other = connected(s);
    if (s->client) {
        struct worker w = { .run = wait_for_set, .fd = fd };
        the_set = set_of(fd, EPOLLIN | EPOLLRDHUP, 1);
        say_epoll_ctl(the_set, EPOLL_CTL_ADD, other, EPOLLIN, 2);
        begin(&w);
        say_close(fd);
        say_epoll_ctl(the_set, EPOLL_CTL_DEL, fd, 0, 0);
        meet(s);
        join(&w, "epoll_wait in the thread");
    } else {
        say_recv(fd, 10, 0);
        meet(s);
        say_send(other, "x", 0);
    }
    meet(s);
}

/* A writer that has no room left: what it says was sent is what arrives. */
static struct stream written;

static long write_much(int fd)
{
    enum { MUCH = 4 * 1024 * 1024 };
    char *data = malloc(MUCH);
    long n;
    stream_make(&written, data, MUCH);
    n = send(fd, data, MUCH, MSG_NOSIGNAL);
    free(data);
    return n;
}

void script_close_while_sending(struct side *s)
{
    int fd = connected(s);
    small_buffers(fd);
    written = stream_of(71);
    if (s->client) {
        struct worker w = { .run = write_much, .fd = fd };
        begin(&w);
        say_close(fd);
        meet(s);
        pthread_join(w.id, NULL);
        say("something was sent: %d", w.result > 0);
    } else {
        char data[4096];
        ssize_t got;
        meet(s);
        while ((got = recv(fd, data, sizeof data, 0)) > 0)
            if (!stream_got(&written, data, (size_t)got))
                fail("wrong at %llu", (unsigned long long)written.at);
        say("in order until the end: %d", written.at > 0);
    }
    meet(s);
    say_send(connected(s), "another", 0);
    meet(s);
}

/* ---- Java: a socket whose other end is gone takes the place of a descriptor on which threads wait; then they are woken by a signal ---- */

static void wake(int number)
{
    (void)number;
}

static int marker(void)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        fail("socketpair");
    close(pair[1]);
    return pair[0];
}

static void dup2_over(struct side *s, long (*run)(int fd), const char *name)
{
    int fd = connected(s);
    if (s->client) {
        struct worker w = { .run = run, .fd = fd };
        struct sigaction action = { .sa_handler = wake };
        int mark = marker();
        sigaction(SIGUSR2, &action, NULL);
        begin(&w);
        said("dup2", dup2(mark, fd) == fd ? 0 : -1);
        pthread_kill(w.id, SIGUSR2);
        join(&w, name);
        say_read(fd, 10);
        said("send", send(fd, "x", 1, MSG_NOSIGNAL));
        say_poll(fd, POLLIN | POLLOUT, 0);
        say_close(fd);
        close(mark);
    } else {
        say_recv(fd, 10, 0);
    }
    meet(s);
}

static long read_one(int fd)
{
    char byte;
    return read(fd, &byte, 1);
}

void script_dup2_over_reader(struct side *s)
{
    dup2_over(s, read_one, "read in the thread");
}

static long poll_for_ever(int fd)
{
    return poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, -1);
}

void script_dup2_over_poller(struct side *s)
{
    dup2_over(s, poll_for_ever, "poll in the thread");
}

static long write_until_woken(int fd)
{
    char data[70000] = { 0 };
    while (send(fd, data, sizeof data, MSG_NOSIGNAL) > 0)
        continue;
    return -1;
}

void script_dup2_over_writer(struct side *s)
{
    int fd = connected(s);
    small_buffers(fd);
    if (s->client) {
        struct worker w = { .run = write_until_woken, .fd = fd };
        struct sigaction action = { .sa_handler = wake };
        int mark = marker();
        sigaction(SIGUSR2, &action, NULL);
        begin(&w);
        said("dup2", dup2(mark, fd) == fd ? 0 : -1);
        pthread_kill(w.id, SIGUSR2);
        pthread_join(w.id, NULL);
        errno = w.error;
        say("the thread: %s", strerrorname_np(errno));
        say_close(fd);
        meet(s);
    } else {
        meet(s);
        while (recv(fd, (char[4096]){ 0 }, 4096, 0) > 0)
            continue;
    }
    meet(s);
}

/* ---- many at once ---- */

enum { THREADS = 4, TIMES = 60 };
static _Atomic int bad;

static void *say_through_copies(void *argument)
{
    struct worker *w = argument;
    char text[8];
    memset(text, 'a' + (int)w->result, sizeof text);
    for (int i = 0; i < TIMES; i++) {
        int copy = i % 3 ? dup(w->fd) : fcntl(w->fd, F_DUPFD_CLOEXEC, 200),
            place = open("/dev/null", O_RDONLY);
        if (i % 2)
            dup2(copy, place);
        if (send(i % 2 ? place : copy, text, sizeof text, 0) != sizeof text)
            atomic_fetch_add(&bad, 1);
        close(copy);
        close(place);
    }
    return NULL;
}

/* Copies come and go in several threads; the connection stays. */
void script_dup_threads(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        struct worker w[THREADS];
        for (int i = 0; i < THREADS; i++) {
            w[i] = (struct worker){ .fd = fd, .result = i };
            pthread_create(&w[i].id, NULL, say_through_copies, &w[i]);
        }
        for (int i = 0; i < THREADS; i++)
            pthread_join(w[i].id, NULL);
        say("failed %d", atomic_load(&bad));
        say_recv(fd, 10, 0);
        say_close(fd);
    } else {
        char text[8];
        int counts[THREADS] = { 0 };
        for (int i = 0; i < THREADS * TIMES; i++) {
            if (recv(fd, text, sizeof text, MSG_WAITALL) != sizeof text || text[0] != text[7])
                fail("message %d", i);
            counts[text[0] - 'a']++;
        }
        say("messages %d %d %d %d", counts[0], counts[1], counts[2], counts[3]);
        say_send(fd, "all", 0);
        say_recv(fd, 10, 0);
    }
    meet(s);
}

static _Atomic bool over;

static void *read_zeros(void *argument)
{
    (void)argument;
    while (!atomic_load(&over)) {
        char data[16];
        int fd = open("/dev/zero", O_RDWR);
        memset(data, 'x', sizeof data);
        if (read(fd, data, sizeof data) != sizeof data || data[0] != 0 || write(fd, data, 3) != 3)
            atomic_fetch_add(&bad, 1);
        if (close(fd))
            atomic_fetch_add(&bad, 1);
    }
    return NULL;
}

static struct sockaddr_in server;

static void *ask_again_and_again(void *argument)
{
    (void)argument;
    for (int i = 0; i < TIMES; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        char byte = (char)i, back = 0;
        if (connect(fd, (struct sockaddr *)&server, sizeof server) || send(fd, &byte, 1, 0) != 1 ||
            recv(fd, &back, 1, 0) != 1 || back != byte || close(fd))
            atomic_fetch_add(&bad, 1);
    }
    return NULL;
}

/* The same numbers are files in one thread and connections in others, in quick turns. */
void script_reuse_threads(struct side *s)
{
    if (s->client) {
        pthread_t files[2], askers[2];
        server = s->address;
        for (int i = 0; i < 2; i++) {
            pthread_create(&files[i], NULL, read_zeros, NULL);
            pthread_create(&askers[i], NULL, ask_again_and_again, NULL);
        }
        for (int i = 0; i < 2; i++)
            pthread_join(askers[i], NULL);
        atomic_store(&over, true);
        for (int i = 0; i < 2; i++)
            pthread_join(files[i], NULL);
        say("failed %d", atomic_load(&bad));
        tell(s, ".", 1);
    } else {
        serve_until_told(s);
    }
    meet(s);
}
