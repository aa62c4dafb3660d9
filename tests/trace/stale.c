/*
 * A number whose close nobody could see (a system call of the program's own) leads to something else next: by every call
 * that makes a descriptor.
 */
#include "trace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

/* What _FORTIFY_SOURCE makes of open with two arguments. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int at, const char *path, int flags);
int __openat64_2(int at, const char *path, int flags);
int __open(const char *path, int flags, ...);
int __open64(const char *path, int flags, ...);
int __pipe(int ends[2]);
FILE *_IO_fopen(const char *path, const char *mode);

static void unseen_close(int fd)
{
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_close), "D"((long)fd) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long number __asm__("x8") = SYS_close;
    register long result __asm__("x0") = fd;
    __asm__ volatile("svc 0" : "+r"(result) : "r"(number) : "memory");
#else
#error "the system call convention of this architecture is not known"
#endif
    if (result != 0)
        fail("close");
}

static int of_file(FILE *file)
{
    return file ? fileno(file) : -1;
}

static int of_directory(DIR *directory)
{
    return directory ? dirfd(directory) : -1;
}

/* The other end stays open, so that the one looked at is alive. */
static int of_pair(int result, const int *ends)
{
    return result == 0 ? ends[0] : -1;
}

static int by_template(int which)
{
    char path[] = "/tmp/meshshim-trace-XXXXXXwith";
    int fd = -1;
    if (which < 4)
        path[strlen(path) - 4] = '\0';
    switch (which) {
    case 0:
        fd = mkstemp(path);
        break;
    case 1:
        fd = mkstemp64(path);
        break;
    case 2:
        fd = mkostemp(path, O_CLOEXEC);
        break;
    case 3:
        fd = mkostemp64(path, O_CLOEXEC);
        break;
    case 4:
        fd = mkstemps(path, 4);
        break;
    case 5:
        fd = mkstemps64(path, 4);
        break;
    case 6:
        fd = mkostemps(path, 4, O_CLOEXEC);
        break;
    default:
        fd = mkostemps64(path, 4, O_CLOEXEC);
        break;
    }
    unlink(path);
    return fd;
}

static int by_shm_open(void)
{
    char name[64];
    int fd;
    snprintf(name, sizeof name, "/meshshim-trace-%d", (int)getpid());
    fd = shm_open(name, O_RDWR | O_CREAT, 0600);
    shm_unlink(name);
    return fd;
}

static int by_mq_open(void)
{
    char name[64];
    int fd;
    snprintf(name, sizeof name, "/meshshim-trace-%d", (int)getpid());
    fd = mq_open(name, O_RDWR | O_CREAT, 0600, NULL);
    mq_unlink(name);
    return fd;
}

static int by_signalfd(void)
{
    sigset_t set;
    sigemptyset(&set);
    return signalfd(-1, &set, 0);
}

static int by_forkpty(void)
{
    int fd = -1;
    pid_t child = forkpty(&fd, NULL, NULL, NULL);
    if (child == 0)
        _exit(0);
    return fd;
}

#define MAKERS                                                                                               \
    MAKER(open, open("/dev/zero", O_RDWR))                                                                   \
    MAKER(open64, open64("/dev/zero", O_RDWR))                                                               \
    MAKER(open_create, open("/tmp", O_RDWR | O_TMPFILE, 0600))                                               \
    MAKER(__open, __open("/dev/zero", O_RDWR))                                                               \
    MAKER(__open64, __open64("/dev/zero", O_RDWR))                                                           \
    MAKER(__open_2, __open_2("/dev/zero", O_RDWR))                                                           \
    MAKER(__open64_2, __open64_2("/dev/zero", O_RDWR))                                                       \
    MAKER(openat, openat(AT_FDCWD, "/dev/zero", O_RDWR))                                                     \
    MAKER(openat64, openat64(AT_FDCWD, "/dev/zero", O_RDWR))                                                 \
    MAKER(__openat_2, __openat_2(AT_FDCWD, "/dev/zero", O_RDWR))                                             \
    MAKER(__openat64_2, __openat64_2(AT_FDCWD, "/dev/zero", O_RDWR))                                         \
    MAKER(creat, creat("/dev/null", 0600))                                                                   \
    MAKER(creat64, creat64("/dev/null", 0600))                                                               \
    MAKER(mkstemp, by_template(0))                                                                           \
    MAKER(mkstemp64, by_template(1))                                                                         \
    MAKER(mkostemp, by_template(2))                                                                          \
    MAKER(mkostemp64, by_template(3))                                                                        \
    MAKER(mkstemps, by_template(4))                                                                          \
    MAKER(mkstemps64, by_template(5))                                                                        \
    MAKER(mkostemps, by_template(6))                                                                         \
    MAKER(mkostemps64, by_template(7))                                                                       \
    MAKER(memfd_create, memfd_create("trace", MFD_CLOEXEC))                                                  \
    MAKER(shm_open, by_shm_open())                                                                           \
    MAKER(mq_open, by_mq_open())                                                                             \
    MAKER(posix_openpt, posix_openpt(O_RDWR | O_NOCTTY))                                                     \
    MAKER(getpt, getpt())                                                                                    \
    MAKER(openpty, of_pair(openpty(&pair[0], &pair[1], NULL, NULL, NULL), pair))                             \
    MAKER(forkpty, by_forkpty())                                                                             \
    MAKER(eventfd, eventfd(0, 0))                                                                            \
    MAKER(signalfd, by_signalfd())                                                                           \
    MAKER(timerfd_create, timerfd_create(CLOCK_MONOTONIC, 0))                                                \
    MAKER(epoll_create, epoll_create(1))                                                                     \
    MAKER(epoll_create1, epoll_create1(EPOLL_CLOEXEC))                                                       \
    MAKER(inotify_init, inotify_init())                                                                      \
    MAKER(inotify_init1, inotify_init1(IN_CLOEXEC))                                                          \
    MAKER(fanotify_init, fanotify_init(FAN_CLASS_NOTIF, O_RDONLY))                                           \
    MAKER(pidfd_open, pidfd_open(getpid(), 0))                                                               \
    MAKER(fsopen, fsopen("tmpfs", 0))                                                                        \
    MAKER(open_tree, open_tree(AT_FDCWD, "/", 0))                                                            \
    MAKER(fopen, of_file(fopen("/dev/zero", "r")))                                                           \
    MAKER(fopen64, of_file(fopen64("/dev/zero", "r")))                                                       \
    MAKER(_IO_fopen, of_file(_IO_fopen("/dev/zero", "r")))                                                   \
    MAKER(popen, of_file(popen("exec cat >/dev/null", "w")))                                                 \
    MAKER(tmpfile, of_file(tmpfile()))                                                                       \
    MAKER(tmpfile64, of_file(tmpfile64()))                                                                   \
    MAKER(opendir, of_directory(opendir("/")))                                                               \
    MAKER(pipe, of_pair(pipe(pair), pair))                                                                   \
    MAKER(__pipe, of_pair(__pipe(pair), pair))                                                               \
    MAKER(pipe2, of_pair(pipe2(pair, O_CLOEXEC), pair))

#define MAKER(name, call)                                                                                    \
    static int make_##name(void)                                                                             \
    {                                                                                                        \
        int pair[2] = { -1, -1 };                                                                            \
        (void)pair;                                                                                          \
        return call;                                                                                         \
    }
MAKERS
#undef MAKER

static const struct maker {
    const char *name;
    int (*make)(void);
} makers[] = {
#define MAKER(name, call) { #name, make_##name },
    MAKERS
#undef MAKER
};

/* What is not a socket says so, whatever its number was before. */
void script_stale_numbers(struct side *s)
{
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        int fd = connected(s), made;
        char byte;
        if (s->client) {
            unseen_close(fd);
            made = makers[i].make();
            say("%s: %s", makers[i].name,
                made == fd ? "the same number"
                : made < 0 ? strerrorname_np(errno)
                           : "another");
            fcntl(made, F_SETFL, O_NONBLOCK);
            said("write", write(made, "x", 1));
            if (!isatty(made)) /* whose echo comes when it comes */
                said("read", read(made, &byte, 1));
            close(made);
        }
        meet(s);
        if (!s->client)
            close(fd);
    }
}

/* The old connection's goodbye does not go to who has the number now. */
void script_stale_number_becomes_a_pair(struct side *s)
{
    int fd = connected(s), pair[2];
    if (s->client) {
        unseen_close(fd);
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
            fail("socketpair");
        say("the same number: %d", pair[0] == fd);
        say_recv(pair[1], 100, MSG_DONTWAIT);
        say_send(pair[0], "to the pair", 0);
        say_recv(pair[1], 100, 0);
    }
    meet(s);
}

static void talk_over(struct side *s, int fd)
{
    say_send(fd, s->client ? "question" : "answer", 0);
    say_recv(fd, 100, 0);
}

void script_stale_number_becomes_a_copy(struct side *s)
{
    int first = connected(s), second = connected(s);
    if (s->client) {
        int copy;
        unseen_close(first);
        copy = dup(second);
        say("the same number: %d", copy == first);
        talk_over(s, copy);
        close(copy);
    } else {
        talk_over(s, second);
    }
    meet(s);
    talk_over(s, second);
    meet(s);
}

void script_stale_number_is_accepted(struct side *s)
{
    int first = connected(s), second;
    if (!s->client)
        unseen_close(first);
    meet(s);
    second = connected(s);
    if (!s->client)
        say("the same number: %d", second == first);
    talk_over(s, second);
    meet(s);
}

static int received(int channel)
{
    char byte, control[CMSG_SPACE(sizeof(int))];
    struct iovec one = { &byte, 1 };
    struct msghdr m = {
        .msg_iov = &one, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    int fd;
    if (recvmsg(channel, &m, 0) != 1 || !CMSG_FIRSTHDR(&m))
        fail("recvmsg");
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
    return fd;
}

static void sent(int channel, int fd)
{
    char byte = 'x', control[CMSG_SPACE(sizeof(int))] = { 0 };
    struct iovec one = { &byte, 1 };
    struct msghdr m = {
        .msg_iov = &one, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    *CMSG_FIRSTHDR(&m) = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fd),
                                           .cmsg_level = SOL_SOCKET,
                                           .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof fd);
    if (sendmsg(channel, &m, 0) != 1)
        fail("sendmsg");
}

void script_stale_number_is_received(struct side *s)
{
    int fd = connected(s), channel[2], pair[2], other;
    if (s->client) {
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, channel) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
            fail("socketpair");
        sent(channel[0], pair[0]);
        unseen_close(fd);
        other = received(channel[1]);
        say("the same number: %d", other == fd);
        say_recv(pair[1], 100, MSG_DONTWAIT);
        say_send(other, "to the pair", 0);
        say_recv(pair[1], 100, 0);
    }
    meet(s);
}
