/*
 * The echo client and server of every network programming book, in the style of W. R. Stevens:
 *
 *   stevens server PORT     a process a connection, which reads lines and writes them back
 *   stevens fork PORT       standard input to the server in the parent, what comes back to standard output in the child
 *   stevens select PORT     the same in one process
 *   stevens stdio PORT      line by line through stdio: fputs, fgets
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAXLINE = 4096 };

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void writen(int fd, const char *p, size_t left)
{
    while (left > 0) {
        ssize_t n = write(fd, p, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            die("write");
        p += n;
        left -= (size_t)n;
    }
}

static struct sockaddr_in address_of(const char *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)strtol(port, NULL, 10)) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void reap(int number)
{
    int saved = errno;
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    errno = saved;
}

static void echo(int fd)
{
    char line[MAXLINE];
    ssize_t n;
    while ((n = read(fd, line, sizeof line)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            die("read");
        writen(fd, line, (size_t)n);
    }
}

static void server(const char *port)
{
    struct sockaddr_in address = address_of(port);
    struct sigaction action = { .sa_handler = reap };
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 64))
        die("listen");
    sigaction(SIGCHLD, &action, NULL);
    for (;;) {
        socklen_t n = sizeof address;
        int fd = accept(listener, (struct sockaddr *)&address, &n);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0)
            die("accept");
        if (fork() == 0) {
            close(listener);
            echo(fd);
            exit(0);
        }
        close(fd);
    }
}

/* Until either has ended. */
static void copy(int from, int to)
{
    char line[MAXLINE];
    ssize_t n;
    while ((n = read(from, line, sizeof line)) > 0)
        writen(to, line, (size_t)n);
    if (n < 0)
        die("read");
}

static void by_fork(int fd)
{
    pid_t child = fork();
    int status;
    if (child == 0) {
        copy(fd, STDOUT_FILENO);
        exit(0);
    }
    copy(STDIN_FILENO, fd);
    shutdown(fd, SHUT_WR);
    if (waitpid(child, &status, 0) != child || status != 0)
        die("child");
}

static void by_select(int fd)
{
    char line[MAXLINE];
    int stdin_open = 1;
    for (;;) {
        fd_set set;
        ssize_t n;
        FD_ZERO(&set);
        FD_SET(fd, &set);
        if (stdin_open)
            FD_SET(STDIN_FILENO, &set);
        if (select(fd + 1, &set, NULL, NULL, NULL) < 0)
            die("select");
        if (FD_ISSET(fd, &set)) {
            if ((n = read(fd, line, sizeof line)) < 0)
                die("read");
            if (n == 0)
                break;
            writen(STDOUT_FILENO, line, (size_t)n);
        }
        if (FD_ISSET(STDIN_FILENO, &set)) {
            if ((n = read(STDIN_FILENO, line, sizeof line)) > 0) {
                writen(fd, line, (size_t)n);
            } else {
                stdin_open = 0;
                shutdown(fd, SHUT_WR);
            }
        }
    }
    if (stdin_open)
        die("the server ended first");
}

static void by_stdio(int fd)
{
    char line[MAXLINE];
    FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
    while (fgets(line, sizeof line, stdin)) {
        if (fputs(line, out) == EOF || fflush(out) == EOF || !fgets(line, sizeof line, in))
            die("the server");
        fputs(line, stdout);
    }
    if (fclose(in) || fclose(out))
        die("fclose");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*talk)(int fd);
    } clients[] = { { "fork", by_fork }, { "select", by_select }, { "stdio", by_stdio } };
    struct sockaddr_in address;
    int fd;
    if (argc != 3)
        return 2;
    if (strcmp(argv[1], "server") == 0)
        server(argv[2]);
    address = address_of(argv[2]);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address))
        die("connect");
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++)
        if (strcmp(argv[1], clients[i].name) == 0)
            clients[i].talk(fd);
    return fflush(stdout) == EOF;
}
