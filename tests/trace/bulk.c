/* Streams of bytes whose every position can be told from its neighbours. */
#include "trace.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

static unsigned char byte_at(uint32_t seed, uint64_t at)
{
    uint64_t x = (at + seed) * 0x9e3779b97f4a7c15u;
    return (unsigned char)(x >> 56);
}

struct stream stream_of(uint32_t seed)
{
    return (struct stream){ 0, seed, 2166136261u };
}

void stream_make(struct stream *stream, void *data, size_t n)
{
    unsigned char *p = data;
    for (size_t i = 0; i < n; i++)
        p[i] = byte_at(stream->seed, stream->at + i);
}

void stream_sent(struct stream *stream, size_t n)
{
    stream->at += n;
}

bool stream_got(struct stream *stream, const void *data, size_t n)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++) {
        if (p[i] != byte_at(stream->seed, stream->at))
            return false;
        stream->sum = (stream->sum ^ p[i]) * 16777619u;
        stream->at++;
    }
    return true;
}

void stream_recv(struct stream *stream, int fd, uint64_t total)
{
    char data[4096];
    while (stream->at < total) {
        size_t n = total - stream->at < sizeof data ? (size_t)(total - stream->at) : sizeof data;
        ssize_t got = recv(fd, data, n, 0);
        if (got <= 0 || !stream_got(stream, data, (size_t)got))
            fail("wrong at %llu", (unsigned long long)stream->at);
    }
}

void send_stream(int fd, uint32_t seed, size_t total, size_t piece)
{
    struct stream stream = stream_of(seed);
    char *data = malloc(piece);
    while (stream.at < total) {
        size_t n = total - stream.at < piece ? total - stream.at : piece;
        ssize_t sent;
        stream_make(&stream, data, n);
        sent = send(fd, data, n, MSG_NOSIGNAL);
        if (sent > (ssize_t)n || sent == 0)
            fail("send(%zu) gave %zd", n, sent);
        if (sent > 0)
            stream_sent(&stream, (size_t)sent);
        else if (errno == EAGAIN)
            await(fd, POLLOUT);
        else if (errno != EINTR)
            fail("send after %llu bytes", (unsigned long long)stream.at);
    }
    free(data);
    say("sent %zu bytes of stream %u", total, seed);
}

void recv_stream(int fd, uint32_t seed, size_t total, size_t piece)
{
    static const size_t odd[] = { 1, 7, 4093, 65537, 16384, 3, 131, 16385, 22, 40000 };
    struct stream stream = stream_of(seed);
    size_t room = piece ? piece : 65537, turn = 0;
    char *data = malloc(room);
    while (stream.at < total) {
        size_t n = piece ? piece : odd[turn++ % (sizeof odd / sizeof odd[0])];
        ssize_t got;
        n = total - stream.at < n ? total - stream.at : n;
        got = recv(fd, data, n, 0);
        if (got == 0 || got > (ssize_t)n)
            fail("recv(%zu) gave %zd after %llu bytes", n, got, (unsigned long long)stream.at);
        if (got > 0 && !stream_got(&stream, data, (size_t)got))
            fail("wrong byte at %llu", (unsigned long long)stream.at);
        if (got < 0 && errno == EAGAIN)
            await(fd, POLLIN);
        else if (got < 0 && errno != EINTR)
            fail("recv after %llu bytes", (unsigned long long)stream.at);
    }
    free(data);
    say("received %llu bytes of stream %u #%08x", (unsigned long long)stream.at, seed, stream.sum);
}

size_t fill(int fd, struct stream *stream)
{
    size_t total = 0, piece = 65536;
    char *data = malloc(piece);
    struct pollfd p = { fd, POLLOUT, 0 };
    do {
        ssize_t sent;
        for (;;) {
            stream_make(stream, data, piece);
            sent = send(fd, data, piece, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent <= 0)
                break;
            stream_sent(stream, (size_t)sent);
            total += (size_t)sent;
        }
        if (sent == 0 || errno != EAGAIN)
            fail("filling the socket gave %zd", sent);
    } while (poll(&p, 1, 4 * NOTHING) == 1);
    free(data);
    return total;
}

int file_of(size_t size)
{
    FILE *f = tmpfile();
    int fd = f ? dup(fileno(f)) : -1;
    struct stream stream = stream_of(33);
    char *data = malloc(size);
    stream_make(&stream, data, size);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
        fail("temporary file");
    free(data);
    fclose(f);
    return fd;
}
