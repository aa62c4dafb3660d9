/* Threads that are cancelled in each call that may wait. Afterwards locks and descriptors balance, and the connection goes on. */
#include "trace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

struct victim {
    void (*call)(struct victim *v);
    int fd;
    struct sockaddr_in address;
    bool at_entry; /* the request is there before the call begins */
    _Atomic int thread;
    _Atomic bool requested;
    pthread_t id;
};

static void *suffer(void *argument)
{
    struct victim *v = argument;
    int old;
    if (v->at_entry) {
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
        atomic_store(&v->thread, gettid());
        while (!atomic_load(&v->requested))
            poll(NULL, 0, 1);
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
    } else {
        atomic_store(&v->thread, gettid());
    }
    v->call(v);
    return NULL;
}

/* One that has a file for each descriptor: what the library keeps open for itself is there before as well as after. */
static int open_descriptors(void)
{
    DIR *list = opendir("/proc/self/fd");
    int n = 0;
    while (list && readdir(list))
        n++;
    closedir(list);
    return n;
}

static void cancel(struct victim *v)
{
    void *result = NULL;
    int before = open_descriptors();
    if (pthread_create(&v->id, NULL, suffer, v))
        fail("pthread_create");
    while (atomic_load(&v->thread) == 0)
        poll(NULL, 0, 1);
    if (!v->at_entry)
        asleep(atomic_load(&v->thread));
    pthread_cancel(v->id);
    atomic_store(&v->requested, true);
    pthread_join(v->id, &result);
    say("cancelled %d, as many descriptors %d", result == PTHREAD_CANCELED, open_descriptors() == before);
}

static void exchange(struct side *s, int fd)
{
    say_send(fd, s->client ? "go on" : "gladly", 0);
    say_recv(fd, s->client ? 6 : 5, MSG_WAITALL);
}

static void in_recv(struct victim *v)
{
    char data[100];
    recv(v->fd, data, sizeof data, 0);
}

static void in_recv_waitall(struct victim *v)
{
    char data[100];
    recv(v->fd, data, sizeof data, MSG_WAITALL);
}

static void in_peek(struct victim *v)
{
    char data[100];
    recv(v->fd, data, sizeof data, MSG_PEEK);
}

static void in_read(struct victim *v)
{
    char data[100];
    (void)!read(v->fd, data, sizeof data);
}

static void in_readv(struct victim *v)
{
    char data[100];
    struct iovec iov[2] = { { data, 50 }, { data + 50, 50 } };
    (void)!readv(v->fd, iov, 2);
}

static void in_recvmsg(struct victim *v)
{
    char data[100];
    struct iovec iov = { data, sizeof data };
    struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
    recvmsg(v->fd, &message, 0);
}

static void in_poll(struct victim *v)
{
    poll(&(struct pollfd){ v->fd, POLLIN, 0 }, 1, -1);
}

static void in_ppoll(struct victim *v)
{
    ppoll(&(struct pollfd){ v->fd, POLLIN, 0 }, 1, NULL, NULL);
}

static void in_select(struct victim *v)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(v->fd, &set);
    select(v->fd + 1, &set, NULL, NULL, NULL);
}

static void in_pselect(struct victim *v)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(v->fd, &set);
    pselect(v->fd + 1, &set, NULL, NULL, NULL, NULL);
}

static void close_set(void *set)
{
    close(*(int *)set);
}

static void in_epoll(struct victim *v)
{
    struct epoll_event event = { .events = EPOLLIN };
    int ep = epoll_create1(EPOLL_CLOEXEC);
    pthread_cleanup_push(close_set, &ep);
    epoll_ctl(ep, EPOLL_CTL_ADD, v->fd, &event);
    epoll_wait(ep, &event, 1, -1);
    pthread_cleanup_pop(1);
}

static void in_epoll_pwait2(struct victim *v)
{
    struct epoll_event event = { .events = EPOLLIN };
    int ep = epoll_create1(EPOLL_CLOEXEC);
    pthread_cleanup_push(close_set, &ep);
    epoll_ctl(ep, EPOLL_CTL_ADD, v->fd, &event);
    epoll_pwait2(ep, &event, 1, NULL, NULL);
    pthread_cleanup_pop(1);
}

static void in_send(struct victim *v)
{
    char byte = 's';
    send(v->fd, &byte, 1, 0);
}

static void in_accept(struct victim *v)
{
    accept(v->fd, NULL, NULL);
}

static void in_connect(struct victim *v)
{
    connect(v->fd, (struct sockaddr *)&v->address, sizeof v->address);
}

/* Every call that waits for bytes of a connection that has none. */
static void (*const waits[])(struct victim *v) = {
    in_recv, in_recv_waitall, in_peek,   in_read,    in_readv, in_recvmsg,
    in_poll, in_ppoll,        in_select, in_pselect, in_epoll, in_epoll_pwait2,
};
enum { WAITS = sizeof waits / sizeof waits[0] };

static void cancel_each(struct side *s, bool at_entry)
{
    int fd = connected(s);
    for (size_t i = 0; i < WAITS; i++) {
        struct victim v = { .call = waits[i], .fd = fd, .at_entry = at_entry };
        if (s->client)
            cancel(&v);
        meet(s);
        exchange(s, fd);
        meet(s);
    }
}

void script_cancel_waiting(struct side *s)
{
    cancel_each(s, false);
}

void script_cancel_at_entry(struct side *s)
{
    cancel_each(s, true);
}

/* A connection that nobody has spoken on: the server's threads wait for the client's first byte in every way. */
void script_cancel_before_first_byte(struct side *s)
{
    for (size_t i = 0; i < WAITS; i++) {
        int fd = s->client ? tcp_socket(0) : -1;
        if (s->client) {
            connect(fd, (struct sockaddr *)&s->address, sizeof s->address);
            meet(s);
        } else {
            struct victim v = { .call = waits[i], .fd = fd = accepted(s), .at_entry = i % 2 };
            meet(s);
            cancel(&v);
        }
        meet(s);
        exchange(s, fd);
        meet(s);
        close(fd);
    }
}

/* A full socket. How much of the write went nobody knows, so the connection is closed; what went arrives in order. */
void script_cancel_send(struct side *s)
{
    int fd = connected(s);
    struct stream stream = stream_of(51);
    small_buffers(fd);
    if (s->client) {
        struct victim v = { .call = in_send, .fd = fd };
        fill(fd, &stream);
        cancel(&v);
        tell(s, &stream.at, sizeof stream.at);
        meet(s);
        close(fd);
    } else {
        uint64_t total;
        char data[4096];
        hear(s, &total, sizeof total);
        while (stream.at < total) {
            ssize_t got =
                recv(fd, data, total - stream.at < sizeof data ? total - stream.at : sizeof data, 0);
            if (got <= 0 || !stream_got(&stream, data, (size_t)got))
                fail("wrong at %llu", (unsigned long long)stream.at);
        }
        say("all that was sent before");
        meet(s);
        close(fd);
    }
    meet(s);
    fd = connected(s);
    exchange(s, fd);
    meet(s);
}

void script_cancel_accept(struct side *s)
{
    if (!s->client) {
        struct victim v = { .call = in_accept, .fd = s->listener };
        cancel(&v);
    }
    meet(s);
    exchange(s, connected(s));
    meet(s);
}

void script_cancel_accept_at_entry(struct side *s)
{
    meet(s);
    if (s->client) {
        int fd = tcp_socket(0);
        meet(s);
        connect(fd, (struct sockaddr *)&s->address, sizeof s->address);
        exchange(s, fd);
    } else {
        struct victim v = { .call = in_accept, .fd = s->listener, .at_entry = true };
        meet(s);
        await(s->listener, POLLIN);
        cancel(&v);
        exchange(s, accepted(s));
    }
    meet(s);
}

/* The listener has no room: connect waits. Its thread is cancelled, the socket is closed, another one gets through. */
static void cancel_connect(struct side *s, bool at_entry)
{
    if (s->client) {
        int filler;
        struct victim v = {
            .call = in_connect, .fd = tcp_socket(0), .address = s->address, .at_entry = at_entry
        };
        filler = crowd(s);
        cancel(&v);
        say("still blocking %d", !(fcntl(v.fd, F_GETFL) & O_NONBLOCK));
        say_close(v.fd);
        close(filler);
    } else {
        crowd(s);
    }
    meet(s);
    disperse(s);
    exchange(s, connected(s));
    meet(s);
}

void script_cancel_connect(struct side *s)
{
    cancel_connect(s, false);
}

void script_cancel_connect_at_entry(struct side *s)
{
    cancel_connect(s, true);
}

static void *talk_for_ever(void *argument)
{
    struct victim *v = argument;
    for (;;) {
        int fd = tcp_socket(SOCK_CLOEXEC);
        pthread_cleanup_push(close_set, &fd);
        if (connect(fd, (struct sockaddr *)&v->address, sizeof v->address) == 0) {
            atomic_fetch_add(&v->thread, 1);
            in_send(&(struct victim){ .fd = fd });
            in_recv(&(struct victim){ .fd = fd });
        }
        pthread_cleanup_pop(1);
    }
    return NULL;
}

/* Threads that connect and talk are cancelled wherever they happen to be. */
void script_cancel_anywhere(struct side *s)
{
    enum { TIMES = 24 };
    if (s->client) {
        int before;
        exchange(s, connected(s));
        before = open_descriptors();
        for (int i = 0; i < TIMES; i++) {
            struct victim v = { .address = s->address };
            pthread_t thread;
            pthread_create(&thread, NULL, talk_for_ever, &v);
            while (atomic_load(&v.thread) < 1 + i % 3)
                sched_yield();
            pthread_cancel(thread);
            pthread_join(thread, NULL);
        }
        say("as many descriptors %d", open_descriptors() == before);
        tell(s, ".", 1);
    } else {
        exchange(s, connected(s));
        serve_until_told(s);
    }
    disperse(s);
    exchange(s, connected(s));
    meet(s);
}
