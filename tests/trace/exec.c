/* Programs that are started on an open connection, in every way. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

/* ---- each makes this process the program; they come back only where that fails ---- */

static void by_execv(const struct image *image)
{
    execv(image->path, image->arguments);
}

static void by_execve(const struct image *image)
{
    execve(image->path, image->arguments, environ);
}

/* A program that builds an environment of its own, as sshd does. */
static void by_empty_environment(const struct image *image)
{
    char *nothing[] = { "PATH=/usr/bin:/bin", NULL };
    execve(image->path, image->arguments, nothing);
}

/* Its own list stands behind the one that it was started with: the loader takes the last. */
static void by_two_preloads(const struct image *image)
{
    char preload[] = "LD_PRELOAD=libm.so.6", *both[300];
    size_t n = 0;
    for (char **entry = environ; *entry && n < sizeof both / sizeof both[0] - 2; entry++)
        both[n++] = *entry;
    both[n++] = preload;
    both[n] = NULL;
    execve(image->path, image->arguments, both);
}

static void by_fexecve(const struct image *image)
{
    fexecve(open(image->path, O_RDONLY | O_CLOEXEC), image->arguments, environ);
}

static void by_execveat(const struct image *image)
{
    execveat(AT_FDCWD, image->path, image->arguments, environ, 0);
}

static void by_syscall(const struct image *image)
{
    syscall(SYS_execve, image->path, image->arguments, environ);
}

/* ---- each starts the program `talk` on the descriptor; the child's id ---- */

static pid_t forked(int fd, void (*become)(const struct image *image))
{
    struct image image;
    pid_t child;
    image_of(&image, "talk", fd);
    child = fork();
    if (child == 0) {
        become(&image);
        _exit(127);
    }
    return child;
}

#define FORKED(name)                                                                                         \
    static pid_t fork_##name(int fd)                                                                         \
    {                                                                                                        \
        return forked(fd, by_##name);                                                                        \
    }
FORKED(execv)
FORKED(execve)
FORKED(empty_environment)
FORKED(two_preloads)
FORKED(fexecve)
FORKED(execveat)
FORKED(syscall)

static pid_t vfork_execv(int fd)
{
    struct image image;
    pid_t child;
    image_of(&image, "talk", fd);
    child = vfork();
    if (child == 0) {
        by_execv(&image);
        _exit(127);
    }
    return child;
}

static pid_t spawned(int fd)
{
    struct image image;
    pid_t child = -1;
    int error;
    image_of(&image, "talk", fd);
    error = posix_spawn(&child, image.path, NULL, NULL, image.arguments, environ);
    if (error)
        say("posix_spawn %s", strerrorname_np(error));
    return child;
}

static pid_t spawned_with_actions(int fd)
{
    posix_spawn_file_actions_t actions;
    struct image image;
    pid_t child = -1;
    image_of(&image, "talk", 77);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd, 77);
    posix_spawn_file_actions_addclose(&actions, fd);
    if (posix_spawnp(&child, image.path, &actions, NULL, image.arguments, environ))
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

#define STARTED(name, start)                                                                                 \
    void script_exec_##name(struct side *s)                                                                  \
    {                                                                                                        \
        started(s, start);                                                                                   \
    }
STARTED(fork_execv, fork_execv)
STARTED(fork_execve, fork_execve)
STARTED(empty_environment, fork_empty_environment)
STARTED(two_preloads, fork_two_preloads)
STARTED(fexecve, fork_fexecve)
STARTED(execveat, fork_execveat)
STARTED(syscall, fork_syscall)
STARTED(vfork, vfork_execv)
STARTED(posix_spawn, spawned)
STARTED(posix_spawnp_actions, spawned_with_actions)

/* The parent lets go at once: the program alone has it, and its end is the end. */
void script_exec_parent_closes(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_send(fd, "hello", 0);
        say_recv(fd, 16, MSG_WAITALL);
        say_recv(fd, 10, 0);
    } else {
        pid_t child = fork_execv(fd);
        close(fd);
        finish(child);
    }
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
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        finish(start_program("look", fd, NULL, NULL));
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
        pid_t child = fork();
        if (child == 0) {
            dup2(fd, 0);
            dup2(fd, 1);
            closefrom(3);
            exec_program("stdio", 0, NULL, NULL);
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
        pid_t child = fork_execv(fd);
        close(fd);
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
        struct image image;
        pid_t child;
        image_of(&image, "talk", 80);
        child = vfork();
        if (child == 0) {
            dup2(fd, 80);
            close(fd);
            close(other);
            execv(image.path, image.arguments);
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
