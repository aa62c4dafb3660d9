/* echo PORT: gives every byte back, to any number of connections, on one thread. Its own memory stays the same however
 * many there are, so what grows is the kernel's and the library's. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_on(unsigned short port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    return bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 4096) ? -1 : fd;
}

static void watch(int set, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

static void serve(int set, int fd, int listener)
{
    char bytes[4096];
    if (fd == listener) {
        int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (client >= 0)
            watch(set, client);
        return;
    }
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n > 0 && write(fd, bytes, (size_t)n) == n)
        return;
    if (n != -1 || errno != EAGAIN)
        close(fd);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    int listener = listen_on((unsigned short)(argc == 2 ? strtol(argv[1], NULL, 10) : 0));
    int set = epoll_create1(0);
    if (listener < 0) {
        perror("echo");
        return 1;
    }
    watch(set, listener);
    for (;;) {
        struct epoll_event events[64];
        int n = epoll_wait(set, events, 64, -1);
        for (int i = 0; i < n; i++)
            serve(set, events[i].data.fd, listener);
    }
}
