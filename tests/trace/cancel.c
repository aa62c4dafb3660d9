/* Threads that are cancelled in each call that may wait. Afterwards locks and descriptors balance, and the connection goes on. */
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

struct victim {
    long (*call)(int fd);
    int fd;
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
    v->call(v->fd);
    return NULL;
}

static void cancel(struct victim *v)
{
    void *result = NULL;
    int before = open_descriptors(0);
    if (pthread_create(&v->id, NULL, suffer, v))
        fail("pthread_create");
    while (atomic_load(&v->thread) == 0)
        poll(NULL, 0, 1);
    if (!v->at_entry)
        asleep(atomic_load(&v->thread));
    pthread_cancel(v->id);
    atomic_store(&v->requested, true);
    pthread_join(v->id, &result);
    say("cancelled %d, as many descriptors %d", result == PTHREAD_CANCELED, open_descriptors(0) == before);
}

/* close is a point of cancellation itself. */
static void close_it(void *fd)
{
    int old;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    close(*(int *)fd);
    pthread_setcancelstate(old, &old);
}

static long in_send(int fd)
{
    return send(fd, "s", 1, 0);
}

static long in_accept(int fd)
{
    return accept(fd, NULL, NULL);
}

static struct sockaddr_in server;

static long in_connect(int fd)
{
    return connect(fd, (struct sockaddr *)&server, sizeof server);
}

static void cancel_each(struct side *s, bool at_entry)
{
    int fd = connected(s);
    wait_begin();
    for (size_t i = 0; i < wait_call_count; i++) {
        struct victim v = { .call = wait_calls[i].run, .fd = fd, .at_entry = at_entry };
        if (s->client)
            cancel(&v);
        meet(s);
        exchange(s, fd);
        meet(s);
    }
    wait_end();
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
    wait_begin();
    for (size_t i = 0; i < wait_call_count; i++) {
        int fd = s->client ? tcp_socket(0) : -1;
        if (s->client) {
            connect(fd, (struct sockaddr *)&s->address, sizeof s->address);
            meet(s);
        } else {
            struct victim v = { .call = wait_calls[i].run, .fd = fd = accepted(s), .at_entry = i % 2 };
            meet(s);
            cancel(&v);
        }
        meet(s);
        exchange(s, fd);
        meet(s);
        close(fd);
    }
    wait_end();
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
        say_close(fd);
        tell(s, &stream.at, sizeof stream.at);
    } else {
        uint64_t total;
        hear(s, &total, sizeof total); /* and that it is closed, which puts out what is kept of a record */
        stream_recv(&stream, fd, total);
        say("all that was sent before");
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
        struct victim v = { .call = in_connect, .fd = tcp_socket(0), .at_entry = at_entry };
        server = s->address;
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
        pthread_cleanup_push(close_it, &fd);
        if (in_connect(fd) == 0) {
            atomic_fetch_add(&v->thread, 1);
            in_send(fd);
            wait_calls[0].run(fd);
        }
        pthread_cleanup_pop(1);
    }
    return NULL;
}

/* A connection that was closed in its handshake may have one until that is through. */
static bool come_down_to(int count)
{
    for (int ms = 0; open_descriptors(0) > count && ms < SOON; ms += 10)
        poll(NULL, 0, 10);
    return open_descriptors(0) == count;
}

/* Threads that connect and talk are cancelled wherever they happen to be. */
void script_cancel_anywhere(struct side *s)
{
    enum { TIMES = 24 };
    if (s->client) {
        int before;
        server = s->address;
        exchange(s, connected(s));
        before = open_descriptors(0);
        for (int i = 0; i < TIMES; i++) {
            struct victim v = { 0 };
            pthread_t thread;
            pthread_create(&thread, NULL, talk_for_ever, &v);
            while (atomic_load(&v.thread) < 1 + i % 3)
                sched_yield();
            pthread_cancel(thread);
            pthread_join(thread, NULL);
        }
        say("as many descriptors %d", come_down_to(before));
        tell(s, ".", 1);
    } else {
        exchange(s, connected(s));
        serve_until_told(s);
    }
    disperse(s);
    exchange(s, connected(s));
    meet(s);
}
