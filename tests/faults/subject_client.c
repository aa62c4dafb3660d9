/* The client: a round is one connection, from its start to its end. */
#include "subject.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "control.h"

bool command(int fd, char what, size_t n)
{
    struct command command = { .what = what, .n = (uint32_t)n };
    return put(fd, (const char *)&command, sizeof command);
}

static bool through_vectors(int fd, size_t n)
{
    char bytes[PIECE];
    struct iovec parts[2] = { { bytes, n / 2 }, { bytes + n / 2, n - n / 2 } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    ssize_t done;
    fill(bytes, n, 0);
    done = sendmsg(fd, &message, 0);
    if (done < 0 || (done < (ssize_t)n && !put(fd, bytes + done, n - (size_t)done)) || !wait_for(fd, POLLIN))
        return false;
    done = recv(fd, bytes, n, MSG_PEEK);
    if (done <= 0)
        return false;
    check(bytes, (size_t)done, 0);
    done = readv(fd, parts, 2);
    if (done <= 0 || (done < (ssize_t)n && !get(fd, bytes + done, n - (size_t)done)))
        return false;
    check(bytes, n, 0);
    return true;
}

bool at_end(int fd)
{
    char byte;
    return read(fd, &byte, 1) == 0;
}

#define STEP(name, what) (step = (name), (what))

/* A command and what belongs to it are two writes. */
static bool hurry(int fd)
{
    int on = 1;
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
}

static bool talk(int fd)
{
    return STEP("setsockopt", hurry(fd)) && STEP("greeting", get_canary(fd, GREETING)) &&
           STEP("a piece", command(fd, 'e', PIECE) && ask(fd, PIECE)) &&
           STEP("much", command(fd, 'e', LARGE) && ask(fd, LARGE)) &&
           STEP("vectors", command(fd, 'e', PIECE) && through_vectors(fd, PIECE)) &&
           STEP("a file", command(fd, 's', LARGE) && get_canary(fd, LARGE));
}

static bool through_processes(int fd)
{
    return STEP("its child", command(fd, 'f', PIECE) && ask(fd, PIECE)) &&
           STEP("its program", command(fd, 'x', PIECE) && ask(fd, PIECE)) &&
           STEP("our child", command(fd, 'e', PIECE) && by_child(fd, PIECE, ask)) &&
           STEP("our program", command(fd, 'e', PIECE) && by_program(fd, PIECE, "ask", false)) &&
           STEP("our spawned program", command(fd, 'e', PIECE) && by_program(fd, PIECE, "ask", true)) &&
           STEP("afterwards", command(fd, 'e', PIECE) && ask(fd, PIECE));
}

static bool goodbye(int fd)
{
    return STEP("goodbye", shutdown(fd, SHUT_WR) == 0 && at_end(fd));
}

bool waiting_round(const struct sockaddr_in *address)
{
    int fd = STEP("socket", socket(AF_INET, SOCK_STREAM, 0));
    bool good = fd >= 0 &&
                STEP("connect", connect(fd, (const struct sockaddr *)address, sizeof *address) == 0) &&
                talk(fd) && through_processes(fd) && goodbye(fd);
    if (!good)
        fprintf(stderr, "%s: %s\n", step, strerror(errno));
    if (fd >= 0)
        close(fd);
    return good;
}

static bool ready(int set, int fd, uint32_t events, uint32_t wanted)
{
    struct epoll_event event = { .events = events, .data.fd = fd };
    if (epoll_ctl(set, EPOLL_CTL_MOD, fd, &event) != 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) != 0)
        return false;
    for (;;) {
        int n = epoll_wait(set, &event, 1, PATIENCE * 1000);
        if (n == 1)
            return event.events & (wanted | EPOLLERR | EPOLLHUP);
        if (n == 0 || errno != EINTR)
            return false;
    }
}

static bool connected(int set, int fd, const struct sockaddr_in *address)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
        return true;
    if (errno != EINPROGRESS || !ready(set, fd, EPOLLOUT, EPOLLOUT) ||
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        return false;
    errno = error;
    return error == 0;
}

bool event_round(const struct sockaddr_in *address)
{
    int set = STEP("epoll_create", epoll_create1(EPOLL_CLOEXEC));
    int fd = STEP("socket", socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), other = -1;
    bool good = set >= 0 && fd >= 0 && STEP("connect by events", connected(set, fd, address)) &&
                STEP("readable", ready(set, fd, EPOLLIN, EPOLLIN)) && talk(fd) &&
                STEP("dup", (other = dup(fd)) >= 0) && STEP("close", close(fd) == 0);
    if (good)
        fd = -1;
    good =
        good && STEP("duplicate", command(other, 'e', PIECE) && ask(other, PIECE) && command(other, 'q', 0));
    if (!good)
        fprintf(stderr, "%s: %s\n", step, strerror(errno));
    for (int each = 0; each < 3; each++) {
        int number = each == 0 ? set : each == 1 ? fd : other;
        if (number >= 0)
            close(number);
    }
    return good;
}

/* What could not be read is read again after a second. */
bool in_time(const struct sockaddr_in *address)
{
    bool good = waiting_round(address);
    for (int i = 0; i < 4 && !good && getenv("FAULT_SWITCH"); i++) {
        alarm(PATIENCE);
        poll(NULL, 0, 400);
        good = waiting_round(address);
    }
    return good;
}

static void usual(const struct sockaddr_in *address)
{
    waiting_round(address);
    alarm(PATIENCE);
    event_round(address);
}

/* On both sides, while there is a connection. */
static void administered(const struct sockaddr_in *address, bool (*here)(void), char there)
{
    char answer;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
                get_canary(fd, GREETING);
    step = "admin";
    alarm(PATIENCE);
    good = here() && good;
    good = good && command(fd, there, 0) && get(fd, &answer, 1) && answer == 1;
    if (!good)
        fprintf(stderr, "%s: %s\n", step, strerror(errno));
    if (fd >= 0)
        close(fd);
}

static void admin(const struct sockaddr_in *address)
{
    administered(address, admin_round, 'a');
}

static void watch(const struct sockaddr_in *address)
{
    administered(address, watch_round, 'w');
}

static void wide(const struct sockaddr_in *address)
{
    wide_round(address);
}

int client(const char *port, const char *scene)
{
    static const struct {
        const char *name;
        void (*rounds)(const struct sockaddr_in *);
    } scenes[] = { { "usual", usual }, { "admin", admin }, { "watch", watch }, { "wide", wide } };
    struct addrinfo *found = NULL, hints = { .ai_family = AF_INET, .ai_flags = AI_NUMERICHOST };
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
    bool good = false;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (getaddrinfo("127.0.0.1", port, &hints, &found) == 0)
        freeaddrinfo(found);
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++)
        if (strcmp(scene, scenes[i].name) == 0)
            scenes[i].rounds(&address);
    alarm(PATIENCE);
    faults(FAULT_NONE);
    good = in_time(&address) && admin_answers();
    tell_descriptors();
    return good ? 0 : 4;
}
