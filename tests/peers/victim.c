/*
 * An ordinary echo server or client that knows nothing of TLS; it runs preloaded while its peers misbehave.
 *
 *   victim server PORT blocking|epoll|edge
 *       echoes; one line at each connection's end: "peer 40123: 11 bytes, then recv = -1 ECONNRESET"
 *   victim client PORT blocking|epoll TEXT COUNT
 *       connects, sends TEXT and reads it back COUNT times; one line a step that fails, or "done"
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/banned.h"

enum { PIECE = 20000 };

struct connection {
    int fd;
    int port;
    size_t bytes;
    char *unsent; /* echo that the socket had no room for */
    size_t unsent_length;
};

static volatile sig_atomic_t stopping;

static void stop(int number)
{
    (void)number;
    stopping = 1;
}

static const char *name_of(int error)
{
    const char *name = strerrorname_np(error);
    return name ? name : "?";
}

static void end(struct connection *c, const char *call, ssize_t result)
{
    int error = errno;
    if (result < 0)
        printf("peer %d: %zu bytes, then %s = -1 %s\n", c->port, c->bytes, call, name_of(error));
    else
        printf("peer %d: %zu bytes, then %s = %zd\n", c->port, c->bytes, call, result);
    fflush(stdout);
    close(c->fd);
    free(c->unsent);
    free(c);
}

static struct connection *take(int listener, int flags)
{
    struct sockaddr_in peer = { 0 };
    socklen_t length = sizeof peer;
    struct connection *c;
    int fd = accept4(listener, (struct sockaddr *)&peer, &length, flags);
    if (fd < 0)
        return NULL;
    c = calloc(1, sizeof *c);
    c->fd = fd;
    c->port = ntohs(peer.sin_port);
    return c;
}

static void *serve_blocking(void *argument)
{
    struct connection *c = argument;
    char *data = malloc(PIECE);
    for (;;) {
        ssize_t got = recv(c->fd, data, PIECE, 0), sent;
        if (got <= 0) {
            free(data);
            end(c, "recv", got);
            return NULL;
        }
        c->bytes += (size_t)got;
        sent = send(c->fd, data, (size_t)got, MSG_NOSIGNAL);
        if (sent != got) {
            free(data);
            end(c, "send", sent);
            return NULL;
        }
    }
}

static void server_blocking(int listener)
{
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&small, 128 * 1024);
    while (!stopping) {
        pthread_t thread;
        struct connection *c = take(listener, 0);
        if (c && pthread_create(&thread, &small, serve_blocking, c))
            end(c, "pthread_create", -1);
    }
    pthread_attr_destroy(&small);
}

/* Sends what is kept. False: the connection is over. */
static bool push(struct connection *c)
{
    ssize_t sent = send(c->fd, c->unsent, c->unsent_length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        end(c, "send", sent);
        return false;
    }
    if (sent > 0) {
        c->unsent_length -= (size_t)sent;
        memmove(c->unsent, c->unsent + sent, c->unsent_length);
    }
    return true;
}

/* Echoes until the socket has nothing more, or no room. False: the connection is over. */
static bool serve_ready(struct connection *c)
{
    if (!c->unsent)
        c->unsent = malloc(PIECE);
    for (;;) {
        ssize_t got;
        if (c->unsent_length > 0 && !push(c))
            return false;
        if (c->unsent_length > 0)
            return true;
        got = recv(c->fd, c->unsent, PIECE, 0);
        if (got < 0 && errno == EAGAIN)
            return true;
        if (got <= 0) {
            end(c, "recv", got);
            return false;
        }
        c->bytes += (size_t)got;
        c->unsent_length = (size_t)got;
    }
}

static void watch(int ep, int op, struct connection *c, uint32_t mode)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | mode, .data.ptr = c };
    if (mode || c->unsent_length > 0)
        event.events |= EPOLLOUT;
    epoll_ctl(ep, op, c->fd, &event);
}

static void server_epoll(int listener, uint32_t mode)
{
    int ep = epoll_create1(0);
    struct epoll_event events[64], event = { .events = EPOLLIN, .data.ptr = NULL };
    fcntl(listener, F_SETFL, O_NONBLOCK);
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &event);
    while (!stopping) {
        int n = epoll_wait(ep, events, 64, -1);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (c && serve_ready(c) && !mode)
                watch(ep, EPOLL_CTL_MOD, c, mode);
            while (!c && (c = take(listener, SOCK_NONBLOCK))) {
                watch(ep, EPOLL_CTL_ADD, c, mode);
                c = NULL;
            }
        }
    }
    close(ep);
}

static int server(int port, const char *mode)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct rlimit many = { 8192, 8192 };
    setrlimit(RLIMIT_NOFILE, &many);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 1024)) {
        perror("victim");
        return 1;
    }
    if (strcmp(mode, "blocking") == 0)
        server_blocking(fd);
    else
        server_epoll(fd, strcmp(mode, "edge") == 0 ? EPOLLET : 0);
    close(fd);
    return 0;
}

/* One wait of the epoll client: for one descriptor, in a set of its own. */
static void wait_for(int fd, uint32_t events)
{
    struct epoll_event event = { .events = events };
    int ep = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
    epoll_wait(ep, &event, 1, 20000);
    close(ep);
}

static int failed(const char *call, long result, int step)
{
    int error = errno;
    if (result < 0)
        printf("exchange %d: %s = -1 %s\n", step, call, name_of(error));
    else
        printf("exchange %d: %s = %ld\n", step, call, result);
    return 3;
}

static int connect_to(int fd, int port, bool wait)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int error = 0;
    socklen_t length = sizeof error;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return 0;
    if (!wait || errno != EINPROGRESS)
        return -1;
    wait_for(fd, EPOLLOUT);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) || error == 0)
        return 0;
    errno = error;
    return -1;
}

static ssize_t send_all(int fd, const char *data, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t sent = send(fd, data + done, n - done, MSG_NOSIGNAL);
        if (sent > 0)
            done += (size_t)sent;
        else if (sent < 0 && errno == EAGAIN)
            wait_for(fd, EPOLLOUT);
        else
            return sent;
    }
    return (ssize_t)done;
}

static ssize_t recv_all(int fd, char *data, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = recv(fd, data + done, n - done, 0);
        if (got > 0)
            done += (size_t)got;
        else if (got < 0 && errno == EAGAIN)
            wait_for(fd, EPOLLIN);
        else
            return got;
    }
    return (ssize_t)done;
}

static int client(int port, bool wait, const char *text, int count)
{
    size_t n = strlen(text);
    char *answer = malloc(n + 1);
    int fd = socket(AF_INET, SOCK_STREAM | (wait ? SOCK_NONBLOCK : 0), 0), status = 0;
    ssize_t result = connect_to(fd, port, wait);
    if (result < 0)
        status = failed("connect", result, 0);
    for (int i = 1; !status && i <= count; i++) {
        result = send_all(fd, text, n);
        if (result != (ssize_t)n)
            status = failed("send", result, i);
        else if ((result = recv_all(fd, answer, n)) != (ssize_t)n)
            status = failed("recv", result, i);
        else if (memcmp(text, answer, n) != 0)
            status = (printf("exchange %d: the answer differs\n", i), 4);
    }
    if (!status)
        printf("done\n");
    close(fd);
    free(answer);
    return status;
}

int main(int argc, char **argv)
{
    struct sigaction action = { .sa_handler = stop };
    sigaction(SIGTERM, &action, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 4 && strcmp(argv[1], "server") == 0)
        return server((int)strtol(argv[2], NULL, 10), argv[3]);
    if (argc == 6 && strcmp(argv[1], "client") == 0)
        return client((int)strtol(argv[2], NULL, 10), strcmp(argv[3], "blocking") != 0, argv[4],
                      (int)strtol(argv[5], NULL, 10));
    fprintf(stderr,
            "usage: victim server PORT blocking|epoll|edge | client PORT blocking|epoll TEXT COUNT\n");
    return 2;
}
