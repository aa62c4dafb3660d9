/* seccomp: a process that has locked itself in goes on talking, by the calls that it has left itself, and still has no others. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#define POLL         SYS_poll
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define POLL         SYS_ppoll
#endif

static void handle_trap(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    say("caught: system call %d", info->si_syscall);
    _exit(9);
}

/* What a careful program allows itself, beside these what libc needs for printing, memory and the end. */
static void lock_in(const int *allowed, size_t n, bool by_prctl)
{
    static const int always[] = { SYS_exit_group, SYS_exit,   SYS_rt_sigreturn, SYS_brk,
                                  SYS_mmap,       SYS_munmap, SYS_read,         SYS_write };
    struct sigaction action = { .sa_sigaction = handle_trap, .sa_flags = SA_SIGINFO };
    struct sock_filter filter[64];
    struct sock_fprog program = { .filter = filter };
    unsigned short at = 0;
    free(calloc(1, 100)); /* so that libc has asked for what it needs once */
    say("locked in");
    sigaction(SIGSYS, &action, NULL);
    filter[at++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    filter[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < n + sizeof always / sizeof always[0]; i++) {
        uint32_t number = (uint32_t)(i < n ? allowed[i] : always[i - n]);
        filter[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
        filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    program.len = at;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        fail("PR_SET_NO_NEW_PRIVS");
    if (by_prctl ? prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)
                 : syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
        fail("seccomp");
}

static const int reads_and_writes[] = { POLL, SYS_close };

enum { MUCH = 200000 };

/* Blocking reads and writes of every size, in both directions, and the end. */
static void talk_by_read_and_write(struct side *s, int fd)
{
    char text[100], *much = malloc(MUCH);
    struct stream stream = stream_of(s->client ? 101 : 102);
    size_t have = 0;
    if (s->client) {
        say_write(fd, "hello");
        say_read(fd, 3);
        say_read(fd, 100);
        stream_make(&stream, much, MUCH);
        said("write", write(fd, much, MUCH));
        say_poll(fd, POLLIN, SOON);
        say_read(fd, 100);
        said("read", read(fd, text, sizeof text));
    } else {
        say_read(fd, 5);
        say_write(fd, "welcome");
        while (have < MUCH) {
            ssize_t got = read(fd, much + have, MUCH - have);
            if (got <= 0)
                fail("read gave %zd after %zu bytes", got, have);
            have += (size_t)got;
        }
        stream = stream_of(101);
        say("the same bytes %d", stream_got(&stream, much, MUCH));
        say_write(fd, "got it all");
    }
    say_close(fd);
    free(much);
}

/* Both sides may do nothing but read, write, poll and close. */
void script_sandbox_read_write(struct side *s)
{
    int fd = connected(s);
    lock_in(reads_and_writes, 2, true);
    talk_by_read_and_write(s, fd);
    meet(s);
}

void script_sandbox_by_seccomp(struct side *s)
{
    int fd = connected(s);
    lock_in(reads_and_writes, 2, false);
    talk_by_read_and_write(s, fd);
    meet(s);
}

/* Non-blocking, with a full socket in between (sshd). */
void script_sandbox_nonblocking(struct side *s)
{
    int fd = connected_nonblocking(s);
    struct stream stream = stream_of(103);
    char data[5000];
    small_buffers(fd);
    lock_in(reads_and_writes, 2, true);
    while (stream.at < MUCH) {
        size_t n = MUCH - stream.at < sizeof data ? MUCH - stream.at : sizeof data;
        ssize_t done;
        if (s->client) {
            stream_make(&stream, data, n);
            done = write(fd, data, n);
            if (done > 0)
                stream_sent(&stream, (size_t)done);
        } else {
            done = read(fd, data, n);
            if (done > 0 && !stream_got(&stream, data, (size_t)done))
                fail("wrong at %llu", (unsigned long long)stream.at);
        }
        if (done < 0 && errno == EAGAIN)
            poll(&(struct pollfd){ fd, s->client ? POLLOUT : POLLIN, 0 }, 1, SOON);
        else if (done <= 0)
            fail("gave %zd at %llu", done, (unsigned long long)stream.at);
    }
    say("all of it");
    say_close(fd);
    meet(s);
}

/* The unprivileged child of a server. Its parent waits, and goes on with the connection afterwards. */
void script_sandbox_child(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_send(fd, "hello", 0);
        say_recv(fd, 7, MSG_WAITALL);
        say_send(fd, "again", 0);
        say_recv(fd, 7, MSG_WAITALL);
        say_recv(fd, 7, 0);
    } else {
        pid_t child = fork();
        if (child == 0) {
            lock_in(reads_and_writes, 2, true);
            say_read(fd, 5);
            say_write(fd, "by it's");
            say_close(fd);
            _exit(4);
        }
        finish(child);
        say_recv(fd, 5, MSG_WAITALL);
        say_send(fd, "the end", 0);
        say_close(fd);
    }
    meet(s);
}

/* What the program has forbidden stays so. */
static void forbidden(struct side *s, void (*call)(void))
{
    int fd = connected(s);
    pid_t child = fork();
    if (child == 0) {
        lock_in(reads_and_writes, 2, true);
        call();
        say("nobody minds");
        _exit(0);
    }
    finish(child);
    close(fd);
    meet(s);
}

static void call_open(void)
{
    (void)!syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static void call_socket(void)
{
    (void)!syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static void call_execve(void)
{
    execl("/bin/true", "true", (char *)NULL);
}

static void call_kill(void)
{
    kill(getppid(), SIGTERM);
}

static struct sockaddr_in elsewhere;

static void call_sendto(void)
{
    sendto(60, "x", 1, 0, (struct sockaddr *)&elsewhere, sizeof elsewhere);
}

void script_sandbox_forbids(struct side *s)
{
    elsewhere = s->address;
    dup2(socket(AF_INET, SOCK_DGRAM, 0), 60);
    forbidden(s, call_open);
    forbidden(s, call_socket);
    forbidden(s, call_execve);
    forbidden(s, call_kill);
    forbidden(s, call_sendto);
}

/* A process without a connection has its own calls and no others, so the library makes none: not for a fork, nor at the end. */
static void alone(bool by_prctl)
{
    /* (The last one is the library's own in the child, which has to know who it is.) */
    static const int forks[] = { SYS_clone, SYS_set_robust_list, SYS_wait4,
                                 SYS_close, SYS_rt_sigprocmask,  SYS_getpid };
    pid_t child;
    lock_in(forks, sizeof forks / sizeof forks[0], by_prctl);
    child = fork();
    if (child == 0)
        _exit(3);
    finish(child);
}

static void fork_and_leave(void)
{
    alone(true);
    _exit(4);
}

static void fork_and_exit(void)
{
    alone(false);
    exit(5);
}

static void leave_at_once(void)
{
    lock_in(NULL, 0, true);
    _exit(6);
}

static void exit_at_once(void)
{
    lock_in(NULL, 0, false);
    exit(7);
}

void script_sandbox_without_connection(struct side *s)
{
    void (*const ends[])(void) = { fork_and_leave, fork_and_exit, leave_at_once, exit_at_once };
    (void)s;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        pid_t child = fork();
        if (child == 0)
            ends[i]();
        finish(child);
    }
}
