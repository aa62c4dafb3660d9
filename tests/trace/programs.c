/* What a script starts: this program again, with --continue and a name, on descriptors that it inherits. */
#include "trace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

/* Reads five bytes, answers, ends. */
static void talk(int fd, char **arguments)
{
    (void)arguments;
    say_recv(fd, 5, MSG_WAITALL);
    say_send(fd, "from the program", 0);
}

/* Everything until the end, then an answer. */
static void read_all(int fd, char **arguments)
{
    (void)arguments;
    say_all(fd);
    say_send(fd, "read", 0);
}

/* On what somebody else has begun to connect. */
static void ask(int fd, char **arguments)
{
    (void)arguments;
    ask_when_made(fd);
}

/* inetd's children know only 0 and 1. */
static void stdio(int fd, char **arguments)
{
    char line[100];
    (void)fd;
    (void)arguments;
    if (fgets(line, sizeof line, stdin))
        printf("you said %s", line);
    fflush(stdout);
}

/* A script's own process, in another image: 3 is still its control channel. */
static void go_on(int fd, char **arguments)
{
    struct side s = { .client = strcmp(arguments[0], "client") == 0, .control = 3, .listener = -1 };
    say("here as the %s", arguments[0]);
    meet(&s);
    say_recv(fd, 5, MSG_WAITALL);
    say_send(fd, "on we go", 0);
    say_close(fd);
    meet(&s);
    meet(&s); /* run_side's last one */
    say("end");
}

/* Continues a stream that another image was in the middle of sending. */
static void send_rest(int fd, char **arguments)
{
    struct stream stream = stream_of(91);
    uint64_t total = strtoull(arguments[1], NULL, 10);
    static char data[20000];
    stream.at = strtoull(arguments[0], NULL, 10);
    nonblocking(fd, false);
    while (stream.at < total) {
        size_t n = total - stream.at < sizeof data ? (size_t)(total - stream.at) : sizeof data;
        stream_make(&stream, data, n);
        if (send(fd, data, n, 0) != (ssize_t)n)
            fail("send after %llu bytes", (unsigned long long)stream.at);
        stream_sent(&stream, n);
    }
    say("sent all of it");
}

/* An inherited set, with the descriptor in it. */
static void use_set(int fd, char **arguments)
{
    int ep = (int)strtol(arguments[0], NULL, 10);
    say_epoll(ep, SOON);
    say_recv(fd, 5, MSG_WAITALL);
    say_epoll(ep, NOTHING);
    say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLOUT, 7);
    say_epoll(ep, SOON);
    say_epoll_ctl(ep, EPOLL_CTL_DEL, fd, 0, 0);
    say_epoll_ctl(ep, EPOLL_CTL_DEL, fd, 0, 0);
    say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLOUT | EPOLLET, 8);
    say_epoll(ep, SOON);
    say_send(fd, "from the program", 0);
}

/* An inherited listener: two connections. */
static void serve(int fd, char **arguments)
{
    (void)arguments;
    for (int i = 0; i < 2; i++) {
        int accepted_fd = accept(fd, NULL, NULL);
        say_recv(accepted_fd, 8, MSG_WAITALL);
        say_send(accepted_fd, "answer", 0);
        say_close(accepted_fd);
    }
}

/* Starts the next one, and so on. */
static void chain(int fd, char **arguments)
{
    long left = strtol(arguments[0], NULL, 10);
    char byte = (char)('0' + left), next[24];
    if (send(fd, &byte, 1, 0) != 1)
        fail("send");
    if (left > 0) {
        snprintf(next, sizeof next, "%ld", left - 1);
        exec_program("chain", fd, next, NULL);
    }
}

/* Knows nothing of it; lets it live for as long as its standard input. */
static void hold(int fd, char **arguments)
{
    char byte;
    (void)fd;
    (void)arguments;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
}

/* Was it inherited? */
static void look(int fd, char **arguments)
{
    char byte;
    (void)arguments;
    said("recv in the program", recv(fd, &byte, 1, MSG_DONTWAIT));
}

/* Gets the connection in a message, by the socket that it inherits. */
static void take(int fd, char **arguments)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
    char byte;
    struct iovec iov = { &byte, 1 };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    struct cmsghdr *head;
    int got;
    (void)arguments;
    if (recvmsg(fd, &message, 0) != 1 || !(head = CMSG_FIRSTHDR(&message)))
        fail("recvmsg");
    memcpy(&got, CMSG_DATA(head), sizeof got);
    say_recv(got, 5, MSG_WAITALL);
    say_send(got, "answer", 0);
}

/* Makes a connection to the port that it is told, and gives it away by the socket that it inherits. */
static void give(int fd, char **arguments)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = (in_port_t)strtol(arguments[0], NULL, 10),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int connection = tcp_socket(0);
    say_connect(connection, &address);
    say_send(connection, "hel", 0);
    pass(fd, &connection, 1);
}

static const struct program {
    const char *name;
    void (*run)(int fd, char **arguments);
} programs[] = {
    { "talk", talk },           { "read_all", read_all }, { "stdio", stdio }, { "go_on", go_on },
    { "send_rest", send_rest }, { "use_set", use_set },   { "serve", serve }, { "chain", chain },
    { "hold", hold },           { "look", look },         { "ask", ask },     { "take", take },
    { "give", give },
};

int run_program(char **arguments)
{
    for (size_t i = 0; arguments[0] && arguments[1] && i < sizeof programs / sizeof programs[0]; i++) {
        if (strcmp(programs[i].name, arguments[0]) == 0) {
            signal(SIGPIPE, SIG_IGN);
            programs[i].run((int)strtol(arguments[1], NULL, 10), arguments + 2);
            return 0;
        }
    }
    fprintf(stderr, "trace: --continue NAME DESCRIPTOR ARGUMENT…\n");
    return 2;
}

const char *self_path(void)
{
    static char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    return path;
}

void image_of(struct image *image, const char *name, int fd)
{
    snprintf(image->number, sizeof image->number, "%d", fd);
    snprintf(image->name, sizeof image->name, "%s", name);
    image->path = self_path();
    image->arguments[0] = "trace";
    image->arguments[1] = "--continue";
    image->arguments[2] = image->name;
    image->arguments[3] = image->number;
    image->arguments[4] = NULL;
}

void exec_program(const char *name, int fd, const char *first, const char *second)
{
    char number[12];
    snprintf(number, sizeof number, "%d", fd);
    execl(self_path(), "trace", "--continue", name, number, first, first ? second : NULL, (char *)NULL);
}

pid_t start_program(const char *name, int fd, const char *first, const char *second)
{
    pid_t child = fork();
    if (child == 0) {
        exec_program(name, fd, first, second);
        _exit(127);
    }
    return child;
}
