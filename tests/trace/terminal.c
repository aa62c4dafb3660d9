/* libc closes and opens standard descriptors by itself: daemon, login_tty, forkpty. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include "base/banned.h"
#include "scripts.h"

/* Standard output is the connection for a while; gives back what it was. */
static int onto_standard_output(int fd)
{
    int before = dup(STDOUT_FILENO);
    fflush(stdout);
    dup2(fd, STDOUT_FILENO);
    return before;
}

static void back_to(int before)
{
    fflush(stdout);
    dup2(before, STDOUT_FILENO);
    close(before);
}

static void say_from(const char *call, int fd)
{
    char text[100];
    say_bytes(call, read(fd, text, sizeof text), text);
}

/* In the daemon: what it writes to its standard output is for nobody. */
static void be_daemon(int fd, int report)
{
    char line[100], byte;
    ssize_t put, got;
    dup2(fd, STDIN_FILENO);
    onto_standard_output(fd);
    if (daemon(1, 0) != 0)
        _exit(1);
    put = write(STDOUT_FILENO, "lost", 4);
    got = read(STDIN_FILENO, &byte, 1);
    snprintf(line, sizeof line, "the daemon wrote %zd and read %zd", put, got);
    if (write(report, line, strlen(line)) < 0)
        _exit(1);
    _exit(0);
}

void script_daemon(struct side *s)
{
    int fd = connected(s), report[2];
    if (s->client) {
        pid_t child;
        if (pipe(report))
            fail("pipe");
        child = fork();
        if (child == 0)
            be_daemon(fd, report[1]);
        waitpid(child, NULL, 0);
        say_from("report", report[0]);
        say_send(fd, "from the one who stayed", 0);
    } else {
        say_recv(fd, 100, 0);
    }
    meet(s);
}

void script_login_tty(struct side *s)
{
    int fd = connected(s), master, slave, before;
    if (s->client) {
        pid_t child;
        if (openpty(&master, &slave, NULL, NULL, NULL))
            fail("openpty");
        before = onto_standard_output(fd);
        child = fork();
        if (child == 0) {
            int result = login_tty(slave);
            _exit(result != 0 || write(STDOUT_FILENO, "to the terminal", 15) != 15);
        }
        back_to(before);
        say_from("master", master);
        waitpid(child, NULL, 0);
        say_send(fd, "from the one who stayed", 0);
    } else {
        say_recv(fd, 100, 0);
    }
    meet(s);
}

void script_forkpty(struct side *s)
{
    int fd = connected(s), master, before;
    if (s->client) {
        pid_t child;
        before = onto_standard_output(fd);
        child = forkpty(&master, NULL, NULL, NULL);
        if (child == 0)
            _exit(write(STDOUT_FILENO, "to the terminal", 15) != 15);
        back_to(before);
        say_from("master", master);
        waitpid(child, NULL, 0);
        say_send(fd, "from the one who stayed", 0);
    } else {
        say_recv(fd, 100, 0);
    }
    meet(s);
}
