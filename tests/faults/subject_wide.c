/* A round of what the other rounds leave out: threads with little stack, streams, many descriptors, little room, messages, a passed descriptor, other endpoints. */
#include "subject.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/libc.h"

static const struct sockaddr_in *to;

static int dial(const struct sockaddr_in *address, int flags)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
        errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool done(int fd, bool good)
{
    if (fd >= 0)
        close(fd);
    return good;
}

static bool greeted(int fd)
{
    return fd >= 0 && get_canary(fd, GREETING);
}

/* In a thread whose stack is the smallest. */
static void *thread(void *good)
{
    int fd = dial(to, 0);
    *(bool *)good = done(fd, greeted(fd) && command(fd, 'q', 0) && at_end(fd));
    return NULL;
}

static bool in_thread(void)
{
    pthread_attr_t small;
    pthread_t one;
    bool good = false, begun;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, (size_t)PTHREAD_STACK_MIN + 4096);
    begun = pthread_create(&one, &small, thread, &good) == 0;
    pthread_attr_destroy(&small);
    return begun && pthread_join(one, NULL) == 0 && good;
}

/* By streams of libc's: a line there, and back. */
static bool by_streams(void)
{
    char line[GREETING + 1] = "";
    const struct command echo_it = { .what = 'e', .n = GREETING };
    int fd = dial(to, 0), other = fd < 0 ? -1 : dup(fd);
    FILE *in = other < 0 ? NULL : fdopen(fd, "r"), *out = in ? fdopen(other, "w") : NULL;
    bool good = out && fread(line, 1, GREETING, in) == GREETING &&
                fwrite(&echo_it, sizeof echo_it, 1, out) == 1 && fprintf(out, "%s", canary) == GREETING &&
                fflush(out) == 0 && fread(line, 1, GREETING, in) == GREETING;
    if (good)
        check(line, GREETING, 0);
    if (out)
        fclose(out);
    else if (other >= 0)
        close(other);
    if (in)
        fclose(in);
    else if (fd >= 0)
        close(fd);
    return good;
}

static bool any_of(const int *fds, int n, bool by_select)
{
    struct pollfd all[80];
    struct timespec limit = { PATIENCE, 0 };
    fd_set set;
    FD_ZERO(&set);
    for (int i = 0; i < n; i++) {
        all[i] = (struct pollfd){ fds[i], POLLOUT, 0 };
        FD_SET(fds[i], &set);
    }
    return by_select ? pselect(FD_SETSIZE, NULL, &set, NULL, &limit, NULL) > 0
                     : ppoll(all, (nfds_t)n, &limit, NULL) > 0;
}

/* While it is pending: many descriptors at once, two sets, one of them left again, bytes before their time. */
static bool while_pending(void)
{
    int fds[72], n = 0, fd = dial(to, SOCK_NONBLOCK),
                 sets[2] = { epoll_create1(EPOLL_CLOEXEC), epoll_create1(EPOLL_CLOEXEC) };
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT, .data.fd = fd };
    struct command early = { .what = 'e', .n = GREETING };
    const struct timespec limit = { PATIENCE, 0 };
    bool good = fd >= 0;
    for (int i = 0; i < 2 && good; i++)
        good = sets[i] >= 0 && epoll_ctl(sets[i], EPOLL_CTL_ADD, fd, &event) == 0;
    good = good && epoll_ctl(sets[1], EPOLL_CTL_DEL, fd, NULL) == 0;
    (void)!send(fd, &early, 0, MSG_NOSIGNAL);
    for (; good && n < 40; n++)
        fds[n] = fd;
    good = good && any_of(fds, n, false) && any_of(fds, n, true) &&
           epoll_pwait2(sets[0], &event, 1, &limit, NULL) == 1 && greeted(fd) && command(fd, 'e', GREETING) &&
           ask(fd, GREETING);
    for (int i = 0; i < 2; i++)
        if (sets[i] >= 0)
            close(sets[i]);
    return done(fd, good);
}

/* A socket with little room, that does not wait: records go out in parts. */
static bool in_parts(void)
{
    static char bytes[LARGE];
    int fd = dial(to, 0), little = 2048, queued = 0, size = 50;
    size_t sent = 0;
    bool good = greeted(fd) && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof little) == 0 &&
                fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && command(fd, 'e', LARGE);
    fill(bytes, LARGE, 0);
    while (good && sent < LARGE) {
        ssize_t n = write(fd, bytes + sent, LARGE - sent);
        good = n > 0 || (n < 0 && again(fd, POLLOUT));
        sent += n > 0 ? (size_t)n : 0;
    }
    good = good && wait_for(fd, POLLIN) && ioctl(fd, FIONREAD, &queued) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &size, sizeof size) == 0 && fcntl(fd, F_SETFL, 0) == 0;
    for (size_t got = 0; good && got < LARGE;) { /* no round numbers: parts are kept */
        size_t want = LARGE - got < 777 ? LARGE - got : 777;
        ssize_t n = recv(fd, bytes, want, MSG_WAITALL);
        good = n > 0;
        if (good)
            check(bytes, (size_t)n, got);
        got += n > 0 ? (size_t)n : 0;
    }
    return done(fd, good && command(fd, 'q', 0) && shutdown(fd, SHUT_WR) == 0 && at_end(fd));
}

/* Both, of PIECE bytes each: what was left out goes the usual way. Nothing of the second goes before all of the first. */
static bool put_messages(int fd, struct mmsghdr *both)
{
    const char *bytes = both[0].msg_hdr.msg_iov->iov_base;
    int n = sendmmsg(fd, both, 2, 0);
    size_t sent = n > 0 ? both[0].msg_len : 0;
    if (n == 2 && sent < PIECE)
        wrong("a message behind half of another");
    if (n == 2)
        sent += both[1].msg_len;
    return n > 0 && put(fd, bytes + sent, 2 * PIECE - sent);
}

/* Many messages in one call, a file, the time-out of a read. */
static bool by_messages(void)
{
    char bytes[2][PIECE];
    struct iovec parts[2] = { { bytes[0], PIECE }, { bytes[1], PIECE } };
    struct mmsghdr both[2] = { { .msg_hdr = { .msg_iov = &parts[0], .msg_iovlen = 1 } },
                               { .msg_hdr = { .msg_iov = &parts[1], .msg_iovlen = 1 } } };
    int fd = dial(to, 0), file = open(own_path, O_RDONLY | O_CLOEXEC);
    struct timeval limit = { PATIENCE, 0 };
    off_t at = 0;
    ssize_t given = 0;
    bool good = greeted(fd) && file >= 0 &&
                setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
                command(fd, 'e', 2 * PIECE);
    fill(bytes[0], sizeof bytes, 0);
    good = good && put_messages(fd, both) && get_canary(fd, 2 * PIECE) && command(fd, 'd', PIECE);
    while (good && given < PIECE) {
        ssize_t n = sendfile(fd, file, &at, PIECE - (size_t)given);
        good = n > 0;
        given += n > 0 ? n : 0;
    }
    good = good && command(fd, 'e', PIECE) && ask(fd, PIECE);
    if (file >= 0)
        close(file);
    return done(fd, good);
}

/* A descriptor goes to a child by another socket. */
static void pass(int channel, int fd)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    char byte = 0;
    struct iovec one = { &byte, 1 };
    struct msghdr message = {
        .msg_iov = &one, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
                                     .cmsg_level = SOL_SOCKET,
                                     .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    (void)!sendmsg(channel, &message, MSG_NOSIGNAL);
}

static int taken(int channel)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    char byte;
    int fd = -1;
    struct iovec one = { &byte, 1 };
    struct msghdr message = {
        .msg_iov = &one, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message))
        memcpy(&fd, CMSG_DATA(&control.head), sizeof fd);
    return fd;
}

static bool passed(void)
{
    int pair[2], fd = dial(to, 0), status = 1;
    bool good = greeted(fd) && command(fd, 'e', PIECE) &&
                socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0;
    pid_t child;
    if (!good)
        return done(fd, false);
    child = fork();
    if (child == 0) {
        int got;
        alarm(PATIENCE);
        close(fd);
        close(pair[0]);
        got = taken(pair[1]);
        _exit(got >= 0 && ask(got, PIECE) ? 0 : 1);
    }
    pass(pair[0], fd);
    close(pair[0]);
    close(pair[1]);
    good = child > 0 && waitpid(child, &status, 0) == child && status == 0;
    if (child > 0 && WIFSIGNALED(status))
        raise(WTERMSIG(status));
    return done(fd, good && command(fd, 'e', PIECE) && ask(fd, PIECE));
}

/* A program that throws its environment away, and one by another name for the descriptor. */
static bool bare(void)
{
    char count[12], *argv[] = { own_path, "ask", "0", count, NULL }, *none[] = { NULL };
    int fd = dial(to, 0), status = 1;
    bool good = greeted(fd) && command(fd, 'e', PIECE);
    pid_t child = good ? fork() : -1;
    snprintf(count, sizeof count, "%d", PIECE);
    if (child == 0) {
        alarm(PATIENCE);
        dup2(fd, 0);
        closefrom(3);
        execve(own_path, argv, none);
        _exit(1);
    }
    good = child > 0 && waitpid(child, &status, 0) == child && status == 0;
    if (child > 0 && WIFSIGNALED(status))
        raise(WTERMSIG(status));
    return done(fd, good);
}

/* The first of the endpoints refuses; a port that nobody listens on; a listener of our own. */
static bool elsewhere(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(80) }, own = *to;
    socklen_t length = sizeof own;
    int fd, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good;
    inet_pton(AF_INET, "127.0.0.9", &address.sin_addr);
    fd = dial(&address, 0);
    good = done(fd, greeted(fd) && command(fd, 'q', 0) && at_end(fd));
    address = *to;
    address.sin_port = htons(1);
    done(dial(&address, 0), true);
    own.sin_port = 0;
    if (listener >= 0 && bind(listener, (struct sockaddr *)&own, sizeof own) == 0 &&
        listen(listener, 1) == 0 && getsockname(listener, (struct sockaddr *)&own, &length) == 0) {
        int there = dial(&own, 0), here = there < 0 ? -1 : accept(listener, NULL, NULL);
        char byte = 'x';
        good = here >= 0 && write(there, &byte, 1) == 1 && read(here, &byte, 1) == 1 && good;
        done(there, true);
        done(here, true);
    } else {
        good = false;
    }
    return done(listener, good);
}

bool wide_job(const struct sockaddr_in *address, int job)
{
    static const struct {
        const char *name;
        bool (*work)(void);
    } jobs[WIDE_JOBS] = {
        { "streams", by_streams }, { "a thread", in_thread },   { "pending", while_pending },
        { "parts", in_parts },     { "messages", by_messages }, { "passed", passed },
        { "bare", bare },          { "elsewhere", elsewhere }
    };
    bool good;
    to = address;
    errno = 0;
    step = jobs[job].name;
    alarm(PATIENCE);
    good = jobs[job].work();
    if (!good)
        fprintf(stderr, "%s: %s\n", step, strerror(errno));
    return good;
}

bool wide_round(const struct sockaddr_in *address)
{
    bool good = true;
    for (int i = 0; i < WIDE_JOBS; i++)
        good = wide_job(address, i) && good;
    return good;
}
