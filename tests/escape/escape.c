/*
 * Ways by which bytes could get past the library. Each says SECRET on a connection to a meshed service; a test looks on the wire for it.
 *
 *   escape PORT WAY     what the way returned, on standard error
 *   escape --list       the ways
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char secret[64];
static struct sockaddr_in service;
static char *self;
static const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

#define SECRET secret, strlen(secret)

static struct iovec span(void)
{
    return (struct iovec){ SECRET };
}

static const struct sockaddr *to(const struct sockaddr_in *address)
{
    return (const void *)address;
}

/* A child that says nothing of its own and is waited for. */
static long in_child(pid_t child)
{
    int status = -1;
    return child < 0 || waitpid(child, &status, 0) < 0 ? -1 : status;
}

/* ---- on a connection that is proved ---- */

static long by_write(int fd)
{
    return write(fd, SECRET);
}

static long by_sendmmsg(int fd)
{
    struct iovec v = span();
    struct mmsghdr message = { .msg_hdr = { .msg_iov = &v, .msg_iovlen = 1 } };
    return syscall(SYS_sendmmsg, fd, &message, 1, 0);
}

static long by_pwritev2(int fd)
{
    struct iovec v = span();
    return syscall(SYS_pwritev2, fd, &v, 1, -1L, -1L, 0);
}

static long by_splice(int fd)
{
    int ends[2];
    if (pipe(ends) != 0 || write(ends[1], SECRET) < 0)
        return -1;
    return syscall(SYS_splice, ends[0], NULL, fd, NULL, strlen(secret), 0);
}

static long by_vmsplice_and_tee(int fd)
{
    struct iovec v = span();
    int first[2], second[2];
    if (pipe(first) != 0 || pipe(second) != 0 || vmsplice(first[1], &v, 1, 0) < 0 ||
        tee(first[0], second[1], strlen(secret), 0) < 0)
        return -1;
    return splice(second[0], NULL, fd, NULL, strlen(secret), 0);
}

static long by_copy_file_range(int fd)
{
    int file = memfd_create("secret", 0);
    if (write(file, SECRET) < 0 || lseek(file, 0, SEEK_SET) != 0)
        return -1;
    return copy_file_range(file, NULL, fd, NULL, strlen(secret), 0);
}

static long by_dup2(int fd)
{
    return syscall(SYS_dup3, fd, 77, 0) < 0 ? -1 : write(77, SECRET);
}

static long by_fdopen(int fd)
{
    FILE *file = fdopen(fd, "r+");
    return file && fprintf(file, "%s", secret) > 0 ? fflush(file) : -1;
}

static long by_dprintf(int fd)
{
    return dprintf(fd, "%s", secret);
}

static long by_stdout(int fd)
{
    return dup2(fd, 1) < 0 || printf("%s", secret) < 0 ? -1 : fflush(stdout);
}

static long by_freopen(int fd)
{
    char path[64];
    snprintf(path, sizeof path, "/dev/fd/%d", fd);
    return freopen(path, "w", stdout) && printf("%s", secret) > 0 ? fflush(stdout) : -1;
}

static long by_exec(int fd)
{
    pid_t child = fork();
    if (child == 0) {
        dup2(fd, 1);
        execlp("echo", "echo", secret, NULL);
        _exit(127);
    }
    return in_child(child);
}

static long by_vfork(int fd)
{
    pid_t child = vfork();
    if (child == 0) {
        dup2(fd, 1);
        execlp("echo", "echo", secret, NULL);
        _exit(127);
    }
    return in_child(child);
}

static long by_spawn(int fd)
{
    char *arguments[] = { (char *)"echo", secret, NULL };
    posix_spawn_file_actions_t actions;
    pid_t child = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd, 1);
    if (posix_spawnp(&child, "echo", &actions, NULL, arguments, environ) != 0)
        return -1;
    posix_spawn_file_actions_destroy(&actions);
    return in_child(child);
}

static long by_system(int fd)
{
    return dup2(fd, 1) < 0 ? -1 : system("echo SECRET-system");
}

static long by_popen(int fd)
{
    FILE *shell = dup2(fd, 1) < 0 ? NULL : popen("cat", "w");
    return shell && fprintf(shell, "%s", secret) > 0 ? pclose(shell) : -1;
}

/* A message with one byte and, to be sent, `fd`. */
struct carrier {
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    char byte;
    struct iovec v;
    struct msghdr message;
};

static struct msghdr *carrier(struct carrier *c)
{
    c->v = (struct iovec){ &c->byte, 1 };
    c->message = (struct msghdr){
        .msg_iov = &c->v, .msg_iovlen = 1, .msg_control = c->control, .msg_controllen = sizeof c->control
    };
    return &c->message;
}

static ssize_t pass(int channel, int fd)
{
    struct carrier c = { .byte = 'x' };
    struct cmsghdr *head = CMSG_FIRSTHDR(carrier(&c));
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
    return sendmsg(channel, &c.message, 0);
}

static int take(int channel)
{
    struct carrier c;
    int fd;
    if (recvmsg(channel, carrier(&c), 0) < 0)
        return -1;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&c.message)), sizeof fd);
    return fd;
}

static long by_message(int fd)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 || pass(ends[0], fd) < 0)
        return -1;
    return write(take(ends[1]), SECRET);
}

static long by_pid_namespace(int fd)
{
    pid_t child = unshare(CLONE_NEWPID) == 0 ? fork() : -1;
    if (child == 0) {
        close(fd);
        _exit(0);
    }
    if (child > 0)
        in_child(child);
    return write(fd, SECRET); /* the child's end must not have been the connection's */
}

static long by_clone(int fd)
{
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        ssize_t put = write(fd, SECRET);
        _exit(put < 0);
    }
    return in_child((pid_t)child);
}

/* ---- on one that is not connected yet ---- */

static long by_fast_open(int fd)
{
    struct iovec v = span();
    struct mmsghdr message = { .msg_hdr = { &service, sizeof service, &v, 1, NULL, 0, 0 } };
    return sendmmsg(fd, &message, 1, MSG_FASTOPEN);
}

static long by_fast_open_after_failure(int fd)
{
    struct sockaddr_in closed = service;
    closed.sin_port = htons(1);
    connect(fd, to(&closed), sizeof closed);
    connect(fd, &nowhere, sizeof nowhere);
    return sendto(fd, SECRET, MSG_FASTOPEN, to(&service), sizeof service);
}

/* The socket goes over exec before it is connected: nobody of this image has seen it made. */
static long by_fast_open_after_exec(int fd)
{
    char number[16], port[16];
    snprintf(number, sizeof number, "%d", fd);
    snprintf(port, sizeof port, "%d", ntohs(service.sin_port));
    execl(self, self, port, "fast-open-inherited", number, NULL);
    return -1;
}

static long by_listener(int fd)
{
    if (listen(fd, 1) != 0 || shutdown(fd, SHUT_RDWR) != 0 || connect(fd, to(&service), sizeof service) != 0)
        return -1;
    return write(fd, SECRET);
}

/* ---- on one that another process connects ---- */

static int connect_it(int fd)
{
    return connect(fd, to(&service), sizeof service);
}

static long by_connecting_child(int fd)
{
    pid_t child = fork();
    if (child == 0)
        _exit(connect_it(fd) != 0);
    return in_child(child) != 0 ? -1 : write(fd, SECRET);
}

/* A child on the far end of a socket pair, which is told when its turn is; the near end. */
static int start_child(void (*act)(int fd, int channel), int fd, pid_t *child)
{
    int ends[2] = { -1, -1 };
    *child = socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 ? fork() : -1;
    if (*child == 0) {
        close(ends[0]);
        act(fd, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    return ends[0];
}

static void await_and_say(int fd, int channel)
{
    char byte;
    _exit(read(channel, &byte, 1) != 1 || write(fd, SECRET) < 0);
}

static long by_connecting_parent(int fd)
{
    pid_t child;
    int channel = start_child(await_and_say, fd, &child);
    return connect_it(fd) != 0 || write(channel, "x", 1) != 1 ? -1 : in_child(child);
}

static void take_and_connect(int unused, int channel)
{
    int fd = take(channel);
    (void)unused;
    _exit(connect_it(fd) != 0 || write(channel, "x", 1) != 1);
}

static void take_and_say(int unused, int channel)
{
    int fd = take(channel);
    (void)unused;
    write(channel, "x", 1);
    await_and_say(fd, channel);
}

/* Made when the child is there, which so can only get it by the message. */
static int sent_late(int channel)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return pass(channel, fd) < 0 ? -1 : fd;
}

static long by_connecting_receiver(int unused)
{
    pid_t child;
    char byte;
    int channel = start_child(take_and_connect, unused, &child), fd = sent_late(channel);
    return read(channel, &byte, 1) != 1 || in_child(child) != 0 ? -1 : write(fd, SECRET);
}

static long by_connecting_sender(int unused)
{
    pid_t child;
    char byte;
    int channel = start_child(take_and_say, unused, &child), fd = sent_late(channel);
    if (read(channel, &byte, 1) != 1 || connect_it(fd) != 0 || write(channel, "x", 1) != 1)
        return -1;
    return in_child(child);
}

static const struct way {
    const char *name;
    long (*go)(int fd);
    bool connected;
} ways[] = {
    { "write", by_write, true },
    { "sendmmsg", by_sendmmsg, true },
    { "pwritev2", by_pwritev2, true },
    { "splice", by_splice, true },
    { "tee", by_vmsplice_and_tee, true },
    { "copy_file_range", by_copy_file_range, true },
    { "dup", by_dup2, true },
    { "fdopen", by_fdopen, true },
    { "dprintf", by_dprintf, true },
    { "stdout", by_stdout, true },
    { "freopen", by_freopen, true },
    { "exec", by_exec, true },
    { "vfork", by_vfork, true },
    { "spawn", by_spawn, true },
    { "system", by_system, true },
    { "popen", by_popen, true },
    { "message", by_message, true },
    { "pid-namespace", by_pid_namespace, true },
    { "clone", by_clone, true },
    { "fast-open", by_fast_open, false },
    { "fast-open-after-failure", by_fast_open_after_failure, false },
    { "fast-open-after-exec", by_fast_open_after_exec, false },
    { "listener", by_listener, false },
    { "connecting-child", by_connecting_child, false },
    { "connecting-parent", by_connecting_parent, false },
    { "connecting-receiver", by_connecting_receiver, false },
    { "connecting-sender", by_connecting_sender, false },
};

static int go(const struct way *way)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    long result;
    if (way->connected && connect(fd, to(&service), sizeof service) != 0) {
        perror("connect");
        return 1;
    }
    errno = 0;
    result = way->go(fd);
    fprintf(stderr, "%s: %ld %s\n", way->name, result, result < 0 ? strerror(errno) : "");
    return 0;
}

int main(int argc, char **argv)
{
    self = argv[0];
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
            puts(ways[i].name);
        return 0;
    }
    if (argc < 3)
        return 2;
    service = (struct sockaddr_in){ .sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)strtol(argv[1], NULL, 10)),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    snprintf(secret, sizeof secret, "SECRET-%s\n", argv[2]);
    if (argc > 3) /* after exec */
        return sendto((int)strtol(argv[3], NULL, 10), SECRET, MSG_FASTOPEN, to(&service), sizeof service) < 0;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (strcmp(argv[2], ways[i].name) == 0)
            return go(&ways[i]);
    return 2;
}
