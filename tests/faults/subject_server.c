/* The server: does on each connection what its client says. */
#include "subject.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

static int listener = -1;

static bool send_file(int fd, size_t n)
{
    char name[] = "/tmp/meshshim-fault.XXXXXX";
    int file = mkstemp(name);
    off_t at = 0;
    bool good = file >= 0;
    if (good) {
        unlink(name);
        good = put_canary(file, n);
    }
    while (good && (size_t)at < n)
        good = sendfile(fd, file, &at, n - (size_t)at) > 0 || again(fd, POLLOUT);
    if (file >= 0)
        close(file);
    return good;
}

/* False: the connection is at its end. */
static bool obey(int fd)
{
    struct command command;
    if (!get(fd, (char *)&command, sizeof command))
        return false;
    if (command.n > LARGE)
        wrong("a command that nobody gave");
    switch (command.what) {
    case 'e':
        return echo(fd, command.n);
    case 's':
        return send_file(fd, command.n);
    case 'f':
        return by_child(fd, command.n, echo);
    case 'x':
        return by_program(fd, command.n, "answer", false);
    case 'm': {
        struct measure now = measure();
        return put(fd, (const char *)&now, sizeof now);
    }
    case 'a':
    case 'w':
        return put(fd, (command.what == 'a' ? admin_round() : watch_round()) ? "\1" : "", 1);
    case 'd':
        return get(fd, (char[PIECE]){ 0 }, command.n < PIECE ? command.n : PIECE);
    case 'q':
        return false;
    default:
        wrong("a command that nobody gave");
    }
    return false;
}

static void serve_one(void)
{
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        return;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    if (put_canary(fd, GREETING))
        while (obey(fd))
            alarm(PATIENCE);
    close(fd);
}

int server(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    struct pollfd waits[2] = { { 0, POLLIN, 0 }, { 0, POLLIN, 0 } };
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < 3 && listener < 0; i++) {
        listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (listener >= 0 &&
            (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 20) != 0 ||
             getsockname(listener, (struct sockaddr *)&address, &length) != 0)) {
            close(listener);
            listener = -1;
        }
    }
    if (listener < 0)
        return 4;
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    waits[1].fd = listener;
    for (;;) {
        alarm(PATIENCE);
        if (poll(waits, 2, -1) < 0)
            continue;
        if (waits[0].revents)
            break;
        if (waits[1].revents)
            serve_one();
    }
    close(listener);
    tell_descriptors();
    return 0;
}
