/* Programs that are started on an open connection, in every way. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

extern char **environ;

static void finish(pid_t child)
{
    int status = -1;
    waitpid(child, &status, 0);
    say("the program ended with %d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static char number[12];

static char **arguments_of(char *name, int fd)
{
    static char *arguments[5];
    snprintf(number, sizeof number, "%d", fd);
    arguments[0] = "trace";
    arguments[1] = "--continue";
    arguments[2] = name;
    arguments[3] = number;
    return arguments;
}

/* ---- each starts the program `talk` on the descriptor; the child's id ---- */

static pid_t by_fork_execv(int fd)
{
    char **arguments = arguments_of("talk", fd);
    const char *path = self_path();
    pid_t child = fork();
    if (child == 0) {
        execv(path, arguments);
        _exit(127);
    }
    return child;
}

static pid_t by_fork_execve(int fd)
{
    char **arguments = arguments_of("talk", fd);
    const char *path = self_path();
    pid_t child = fork();
    if (child == 0) {
        execve(path, arguments, environ);
        _exit(127);
    }
    return child;
}

/* A program that builds an environment of its own, as sshd does. */
static pid_t by_empty_environment(int fd)
{
    char *nothing[] = { "PATH=/usr/bin:/bin", NULL }, **arguments = arguments_of("talk", fd);
    const char *path = self_path();
    pid_t child = fork();
    if (child == 0) {
        execve(path, arguments, nothing);
        _exit(127);
    }
    return child;
}

/* Its own list stands behind the one that it was started with: the loader takes the last. */
static pid_t by_two_preloads(int fd)
{
    char preload[] = "LD_PRELOAD=libm.so.6", *both[300], **arguments = arguments_of("talk", fd);
    const char *path = self_path();
    size_t n = 0;
    pid_t child;
    for (char **entry = environ; *entry && n < sizeof both / sizeof both[0] - 2; entry++)
        both[n++] = *entry;
    both[n++] = preload;
    both[n] = NULL;
    child = fork();
    if (child == 0) {
        execve(path, arguments, both);
        _exit(127);
    }
    return child;
}

static pid_t by_fexecve(int fd)
{
    char **arguments = arguments_of("talk", fd);
    int file = open(self_path(), O_RDONLY | O_CLOEXEC);
    pid_t child = fork();
    if (child == 0) {
        fexecve(file, arguments, environ);
        _exit(127);
    }
    close(file);
    return child;
}

static pid_t by_execveat(int fd)
{
    char **arguments = arguments_of("talk", fd);
    const char *path = self_path();
    pid_t child = fork();
    if (child == 0) {
        execveat(AT_FDCWD, path, arguments, environ, 0);
        _exit(127);
    }
    return child;
}

static pid_t by_syscall(int fd)
{
    char **arguments = arguments_of("talk", fd);
    const char *path = self_path();
    pid_t child = fork();
    if (child == 0) {
        syscall(SYS_execve, path, arguments, environ);
        _exit(127);
    }
    return child;
}

static pid_t by_vfork(int fd)
{
    char **arguments = arguments_of("talk", fd);
    const char *path = self_path();
    pid_t child = vfork();
    if (child == 0) {
        execv(path, arguments);
        _exit(127);
    }
    return child;
}

static pid_t by_posix_spawn(int fd)
{
    pid_t child = -1;
    int error = posix_spawn(&child, self_path(), NULL, NULL, arguments_of("talk", fd), environ);
    if (error)
        say("posix_spawn %s", strerrorname_np(error));
    return child;
}

static pid_t by_posix_spawnp(int fd)
{
    posix_spawn_file_actions_t actions;
    pid_t child = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd, 77);
    posix_spawn_file_actions_addclose(&actions, fd);
    if (posix_spawnp(&child, self_path(), &actions, NULL, arguments_of("talk", 77), environ))
        fail("posix_spawnp");
    posix_spawn_file_actions_destroy(&actions);
    return child;
}

static void started(struct side *s, pid_t (*start)(int fd))
{
    int fd = connected(s);
    if (s->client) {
        say_send(fd, "hello", 0);
        say_recv(fd, 16, MSG_WAITALL);
        say_recv(fd, 16, MSG_WAITALL);
        say_recv(fd, 10, 0);
    } else {
        finish(start(fd));
        say_send(fd, "from the parent.", 0);
        say_close(fd);
    }
    meet(s);
}

void script_exec_fork_execv(struct side *s)
{
    started(s, by_fork_execv);
}

void script_exec_fork_execve(struct side *s)
{
    started(s, by_fork_execve);
}

void script_exec_empty_environment(struct side *s)
{
    started(s, by_empty_environment);
}

void script_exec_two_preloads(struct side *s)
{
    started(s, by_two_preloads);
}

void script_exec_fexecve(struct side *s)
{
    started(s, by_fexecve);
}

void script_exec_execveat(struct side *s)
{
    started(s, by_execveat);
}

void script_exec_syscall(struct side *s)
{
    started(s, by_syscall);
}

void script_exec_vfork(struct side *s)
{
    started(s, by_vfork);
}

void script_exec_posix_spawn(struct side *s)
{
    started(s, by_posix_spawn);
}

void script_exec_posix_spawnp_actions(struct side *s)
{
    started(s, by_posix_spawnp);
}

/* The parent lets go at once: the program alone has it, and its end is the end. */
void script_exec_parent_closes(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_send(fd, "hello", 0);
        say_recv(fd, 16, MSG_WAITALL);
        say_recv(fd, 10, 0);
    } else {
        pid_t child = by_fork_execv(fd);
        close(fd);
        finish(child);
    }
    meet(s);
}

/* The process itself becomes another program. */
void script_exec_self(struct side *s)
{
    int fd = connected(s);
    fflush(stdout);
    if (s->client) {
        exec_program("go_on", fd, "client", NULL);
        fail("exec");
    }
    meet(s);
    say_send(fd, "again", 0);
    say_recv(fd, 8, MSG_WAITALL);
    say_recv(fd, 10, 0);
    meet(s);
}

/* With threads, one of which waits for bytes: they are gone, the connection is not. */
static _Atomic int waiting;

static void *wait_for_bytes(void *fd)
{
    char byte;
    atomic_store(&waiting, gettid());
    recv(*(int *)fd, &byte, 1, 0);
    return NULL;
}

void script_exec_self_with_threads(struct side *s)
{
    int fd = connected(s);
    fflush(stdout);
    if (s->client) {
        pthread_t thread;
        pthread_create(&thread, NULL, wait_for_bytes, &fd);
        while (atomic_load(&waiting) == 0)
            poll(NULL, 0, 1);
        asleep(atomic_load(&waiting));
        exec_program("go_on", fd, "client", NULL);
        fail("exec");
    }
    meet(s);
    say_send(fd, "again", 0);
    say_recv(fd, 8, MSG_WAITALL);
    say_recv(fd, 10, 0);
    meet(s);
}

/* An exec that fails changes nothing. */
void script_exec_fails(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        char *arguments[] = { "nothing", NULL };
        pid_t child;
        said("execv", execv("/nonexistent/program", arguments));
        say_send(fd, "still ", 0);
        child = vfork();
        if (child == 0) {
            execv("/nonexistent/program", arguments);
            _exit(9);
        }
        finish(child);
        say("posix_spawn %s",
            strerrorname_np(posix_spawn(&child, "/nonexistent/program", NULL, NULL, arguments, environ)));
        say_send(fd, "here", 0);
        say_recv(fd, 10, 0);
        say_close(fd);
    } else {
        say_recv(fd, 10, MSG_WAITALL);
        say_send(fd, "fine", 0);
        say_recv(fd, 10, 0);
    }
    meet(s);
}

/* Close-on-exec: the program has nothing, and ends nothing. */
void script_exec_cloexec(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        char **arguments = arguments_of("look", fd);
        const char *path = self_path();
        pid_t child;
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        child = fork();
        if (child == 0) {
            execv(path, arguments);
            _exit(127);
        }
        finish(child);
        say_send(fd, "still here", 0);
        say_recv(fd, 10, 0);
        say_close(fd);
    } else {
        say_recv(fd, 10, MSG_WAITALL);
        say_send(fd, "good", 0);
        say_recv(fd, 10, 0);
    }
    meet(s);
}

/* inetd: the connection is standard input and output, everything else is closed. */
void script_exec_inetd(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_send(fd, "a line\n", 0);
        say_all(fd);
    } else {
        char **arguments = arguments_of("stdio", 0);
        const char *path = self_path();
        pid_t child = fork();
        if (child == 0) {
            dup2(fd, 0);
            dup2(fd, 1);
            closefrom(3);
            execv(path, arguments);
            _exit(127);
        }
        close(fd);
        finish(child);
    }
    meet(s);
}

/* CGI: a shell between, its output is the connection. */
void script_exec_system(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_recv(fd, 20, MSG_WAITALL);
        say_recv(fd, 10, 0);
    } else {
        char command[200];
        snprintf(command, sizeof command, "echo by the shell >&%d; echo twice >&%d", fd, fd);
        fflush(stdout);
        say("system %d", system(command));
        say_close(fd);
    }
    meet(s);
}

/* What is read of a message stays read, what is not comes in the program. */
void script_exec_partly_read(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_send(fd, "some of this is read before and the rest after", 0);
        shutdown(fd, SHUT_WR);
        say_recv(fd, 10, MSG_WAITALL);
    } else {
        char **arguments = arguments_of("read_all", fd);
        const char *path = self_path();
        pid_t child;
        await(fd, POLLRDHUP);
        say_recv(fd, 13, 0);
        child = fork();
        if (child == 0) {
            execv(path, arguments);
            _exit(127);
        }
        close(fd);
        finish(child);
    }
    meet(s);
}

/* A full socket, part of a write gone: the program goes on where it was told. */
void script_exec_partly_written(struct side *s)
{
    enum { TOTAL = 1 << 20 };
    int fd = connected(s);
    struct stream stream = stream_of(91);
    small_buffers(fd);
    if (s->client) {
        char at[24], total[24];
        pid_t child;
        fill(fd, &stream);
        snprintf(at, sizeof at, "%llu", (unsigned long long)stream.at);
        snprintf(total, sizeof total, "%d", TOTAL);
        child = fork();
        if (child == 0) {
            exec_program("send_rest", fd, at, total);
            _exit(127);
        }
        close(fd);
        meet(s);
        finish(child);
    } else {
        meet(s);
        recv_stream(fd, 91, TOTAL, 0);
        say_recv(fd, 10, 0);
    }
    meet(s);
}

/* A set and its registration go over as well. */
void script_exec_epoll(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        int ep = epoll_create1(0);
        char set[12];
        pid_t child;
        say_epoll_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 5);
        snprintf(set, sizeof set, "%d", ep);
        meet(s);
        child = fork();
        if (child == 0) {
            exec_program("use_set", fd, set, NULL);
            _exit(127);
        }
        finish(child);
        say_epoll(ep, SOON);
        say_epoll_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN, 9);
        say_epoll(ep, NOTHING);
    } else {
        meet(s);
        say_send(fd, "hello", 0);
        say_recv(fd, 16, MSG_WAITALL);
    }
    meet(s);
}

/* nginx's upgrade, a reloader: the new program serves the listener that the old one made. */
void script_exec_listener(struct side *s)
{
    if (s->client) {
        for (int i = 0; i < 2; i++) {
            int fd = tcp_socket(0);
            say_connect(fd, &s->address);
            say_send(fd, "question", 0);
            say_recv(fd, 100, 0);
            say_recv(fd, 100, 0);
        }
    } else {
        pid_t child = fork();
        if (child == 0) {
            exec_program("serve", s->listener, NULL, NULL);
            _exit(127);
        }
        finish(child);
    }
    meet(s);
}

/* Two numbers for one connection in the new program: the first close ends nothing. */
void script_exec_copies(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_send(fd, "hello", 0);
        say_recv(fd, 16, MSG_WAITALL);
        say_recv(fd, 10, 0);
    } else {
        char **arguments = arguments_of("talk", 90);
        const char *path = self_path();
        pid_t child = fork();
        if (child == 0) {
            dup2(fd, 90);
            dup2(fd, 91);
            execv(path, arguments);
            _exit(127);
        }
        close(fd);
        finish(child);
    }
    meet(s);
}

/* From image to image to image. */
void script_exec_chain(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_recv(fd, 6, MSG_WAITALL);
        say_recv(fd, 6, MSG_WAITALL);
    } else {
        pid_t child = fork();
        if (child == 0) {
            exec_program("chain", fd, "5", NULL);
            _exit(127);
        }
        close(fd);
        finish(child);
    }
    meet(s);
}

/* Accepted, and nothing said yet. */
void script_exec_before_first_byte(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        say_send(fd, "hello", 0);
        say_recv(fd, 16, MSG_WAITALL);
        say_recv(fd, 10, 0);
    } else {
        int fd = accepted(s);
        pid_t child = by_fork_execv(fd);
        close(fd);
        finish(child);
    }
    meet(s);
}

/* A program that knows nothing of it holds it open: the peer sees the end when that one ends. */
void script_exec_holder(struct side *s)
{
    int fd = connected(s), ends[2];
    if (s->client) {
        nonblocking(fd, true);
        meet(s);
        say_recv(fd, 10, 0);
        meet(s);
        nonblocking(fd, false);
        say_recv(fd, 10, 0);
    } else {
        pid_t child;
        if (pipe(ends))
            fail("pipe");
        child = fork();
        if (child == 0) {
            dup2(ends[0], STDIN_FILENO);
            close(ends[0]);
            close(ends[1]);
            exec_program("hold", fd, NULL, NULL);
            _exit(127);
        }
        say_close(fd);
        meet(s);
        meet(s);
        close(ends[1]);
        finish(child);
    }
    meet(s);
}

/* A vfork child closes and moves descriptors before it starts the program: its parent's are not touched. */
void script_exec_vfork_moves(struct side *s)
{
    int fd = connected(s), other = connected(s);
    if (s->client) {
        say_send(fd, "hello", 0);
        say_recv(fd, 16, MSG_WAITALL);
        say_recv(fd, 16, MSG_WAITALL);
        say_recv(other, 5, MSG_WAITALL);
    } else {
        char **arguments = arguments_of("talk", 80);
        const char *path = self_path();
        pid_t child = vfork();
        if (child == 0) {
            dup2(fd, 80);
            close(fd);
            close(other);
            execv(path, arguments);
            _exit(127);
        }
        finish(child);
        say_send(fd, "from the parent.", 0);
        say_send(other, "other", 0);
    }
    meet(s);
}

/* Shells by popen from several threads, while another one talks. */
static _Atomic int failed;

static void *popen_again_and_again(void *unused)
{
    for (int i = 0; i < 8; i++) {
        char line[20] = "";
        FILE *f = popen(i % 2 ? "echo hello" : "cat >/dev/null", i % 2 ? "re" : "we");
        if (!f ||
            (i % 2 ? !fgets(line, sizeof line, f) || strcmp(line, "hello\n") != 0 : fputs("x", f) < 0) ||
            pclose(f) != 0)
            atomic_fetch_add(&failed, 1);
    }
    return unused;
}

void script_exec_popen_threads(struct side *s)
{
    enum { MUCH = 4 * 1024 * 1024 };
    int fd = connected(s);
    if (s->client) {
        pthread_t threads[3];
        for (int i = 0; i < 3; i++)
            pthread_create(&threads[i], NULL, popen_again_and_again, NULL);
        send_stream(fd, 93, MUCH, 30000);
        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        say("failed %d", atomic_load(&failed));
        say_close(fd);
    } else {
        recv_stream(fd, 93, MUCH, 0);
        say_recv(fd, 10, 0);
    }
    meet(s);
}
