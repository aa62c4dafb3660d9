/* Several threads on one socket. */
#include "trace.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

enum { DUPLEX = 8 * 1024 * 1024 };

struct job {
    int fd;
    uint32_t seed;
    int number;
};

static void *write_stream(void *argument)
{
    struct job *job = argument;
    struct stream stream = stream_of(job->seed);
    enum { PIECE = 50000 };
    char *data = malloc(PIECE);
    while (stream.at < DUPLEX) {
        size_t n = DUPLEX - stream.at < PIECE ? DUPLEX - stream.at : PIECE;
        ssize_t sent;
        stream_make(&stream, data, n);
        sent = send(job->fd, data, n, MSG_NOSIGNAL);
        if (sent > 0)
            stream_sent(&stream, (size_t)sent);
        else if (sent < 0 && errno == EAGAIN)
            await(job->fd, POLLOUT);
        else
            fail("the writer got %zd", sent);
    }
    free(data);
    return NULL;
}

static void duplex(struct side *s, bool blocking)
{
    int fd = blocking ? connected(s) : connected_nonblocking(s);
    struct job job = { fd, s->client ? 100 : 200, 0 };
    pthread_t writer;
    pthread_create(&writer, NULL, write_stream, &job);
    recv_stream(fd, s->client ? 200 : 100, DUPLEX, 0);
    pthread_join(writer, NULL);
    meet(s);
}

void script_duplex_threads_blocking(struct side *s)
{
    duplex(s, true);
}

void script_duplex_threads_nonblocking(struct side *s)
{
    duplex(s, false);
}

enum { MESSAGE = 100, MESSAGES = 60, WRITERS = 3 };

static void *write_messages(void *argument)
{
    struct job *job = argument;
    char text[MESSAGE];
    for (int i = 0; i < MESSAGES; i++) {
        memset(text, 'a' + job->number, sizeof text);
        text[1] = (char)i;
        if (send(job->fd, text, sizeof text, 0) != sizeof text)
            fail("a message");
    }
    return NULL;
}

/* Messages of several threads do not mix, and each thread's stay in order. */
void script_threads_write_messages(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        pthread_t threads[WRITERS];
        struct job jobs[WRITERS];
        for (int i = 0; i < WRITERS; i++) {
            jobs[i] = (struct job){ fd, 0, i };
            pthread_create(&threads[i], NULL, write_messages, &jobs[i]);
        }
        for (int i = 0; i < WRITERS; i++)
            pthread_join(threads[i], NULL);
    } else {
        int next[WRITERS] = { 0 };
        for (int i = 0; i < MESSAGES * WRITERS; i++) {
            char text[MESSAGE];
            if (recv(fd, text, sizeof text, MSG_WAITALL) != sizeof text)
                fail("message %d", i);
            for (int j = 2; j < MESSAGE; j++)
                if (text[j] != text[0])
                    fail("message %d is mixed", i);
            if (text[1] != next[text[0] - 'a']++)
                fail("message %d is out of order", i);
        }
        say("%d messages", MESSAGES * WRITERS);
    }
    meet(s);
}

static void *read_one(void *argument)
{
    struct job *job = argument;
    char byte;
    ssize_t got = recv(job->fd, &byte, 1, 0);
    return (void *)(intptr_t)(got < 0 ? -errno : (int)got);
}

/* Another thread ends a blocked reader with shutdown. */
void script_shutdown_wakes_reader(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        struct job job = { fd, 0, 0 };
        pthread_t reader;
        void *result;
        pthread_create(&reader, NULL, read_one, &job);
        said("shutdown", shutdown(fd, SHUT_RDWR));
        pthread_join(reader, &result);
        say("the reader got %d", (int)(intptr_t)result);
    }
    meet(s);
}

/* A reader blocks while another thread writes on the same socket: the writer is not held up. */
void script_blocked_reader_does_not_hold_writer(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        struct job job = { fd, 0, 0 };
        pthread_t reader;
        void *result;
        pthread_create(&reader, NULL, read_one, &job);
        say_send(fd, "question", 0);
        pthread_join(reader, &result);
        say("the reader got %d", (int)(intptr_t)result);
    } else {
        say_recv(fd, 8, MSG_WAITALL);
        say_send(fd, "!", 0);
    }
    meet(s);
}

/* A writer blocks on a full socket while another thread reads: the reader is not held up. */
void script_blocked_writer_does_not_hold_reader(struct side *s)
{
    int fd = connected(s);
    struct job job = { fd, 7, 0 };
    small_buffers(fd);
    if (s->client) {
        pthread_t writer;
        pthread_create(&writer, NULL, write_stream, &job);
        meet(s);
        say_recv(fd, 5, MSG_WAITALL);
        meet(s);
        pthread_join(writer, NULL);
        say("written");
    } else {
        meet(s);
        say_send(fd, "hello", 0);
        meet(s);
        recv_stream(fd, 7, DUPLEX, 60000);
    }
    meet(s);
}

static void *cancellable(void *argument)
{
    return read_one(argument);
}

/* A thread cancelled inside recv leaves the socket usable. */
void script_cancelled_reader(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        struct job job = { fd, 0, 0 };
        pthread_t reader;
        void *result;
        pthread_create(&reader, NULL, cancellable, &job);
        pthread_cancel(reader);
        pthread_join(reader, &result);
        say("cancelled: %d", result == PTHREAD_CANCELED);
        say_send(fd, "go on", 0);
        say_recv(fd, 10, 0);
    } else {
        say_recv(fd, 10, 0);
        say_send(fd, "gladly", 0);
    }
    meet(s);
}
