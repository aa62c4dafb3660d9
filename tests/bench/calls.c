/*
 * Nanoseconds per call on descriptors that nobody meshes: libc's own function, and the one that a program gets. Both run in
 * this process by turns, so that nothing differs but the function. Prints a line a call: name, libc's, the program's; each
 * is the best of its batches, for what disturbs one only makes it slower.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCHES = 600, CALLS = 500 }; /* short ones: on a busy machine some are left alone */

static int null_fd, zero_fd, tcp_fd, epoll_fd;
static int (*libc_dup)(int);

static int call_read(void *function)
{
    ssize_t (*call)(int, void *, size_t) = function;
    char byte;
    return call(zero_fd, &byte, 1) == 1;
}

static int call_write(void *function)
{
    ssize_t (*call)(int, const void *, size_t) = function;
    return call(null_fd, "x", 1) == 1;
}

static int call_recv(void *function)
{
    ssize_t (*call)(int, void *, size_t, int) = function;
    char byte;
    return call(tcp_fd, &byte, 1, MSG_DONTWAIT) == -1; /* nothing has come */
}

static int call_poll(void *function)
{
    int (*call)(struct pollfd *, nfds_t, int) = function;
    struct pollfd one = { .fd = tcp_fd, .events = POLLIN };
    return call(&one, 1, 0) == 0;
}

static int call_epoll_wait(void *function)
{
    int (*call)(int, struct epoll_event *, int, int) = function;
    struct epoll_event one;
    return call(epoll_fd, &one, 1, 0) == 0;
}

/* There must be something to close, and dup is cheap; libc's in both. open is not wrapped at all. */
static int call_close(void *function)
{
    int (*call)(int) = function;
    return call(libc_dup(null_fd)) == 0;
}

static const struct {
    const char *name;
    int (*call)(void *function);
} calls[] = {
    { "read", call_read }, { "write", call_write },           { "recv", call_recv },
    { "poll", call_poll }, { "epoll_wait", call_epoll_wait }, { "close", call_close },
};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double batch(int (*call)(void *), void *function)
{
    int good = 0;
    double start = now_ns();
    for (int i = 0; i < CALLS; i++)
        good += call(function);
    return good == CALLS ? (now_ns() - start) / CALLS : -1;
}

static int measure(void *libc, const char *name, int (*call)(void *))
{
    void *functions[] = { dlsym(libc, name), dlsym(RTLD_DEFAULT, name) };
    double best[] = { 1e9, 1e9 };
    for (int i = 0; i < 2 * BATCHES; i++) {
        double ns = batch(call, functions[i & 1]);
        if (ns < 0) {
            fprintf(stderr, "calls: %s did not answer as it should\n", name);
            return 1;
        }
        if (ns < best[i & 1])
            best[i & 1] = ns;
    }
    printf("%s %.2f %.2f\n", name, best[0], best[1]);
    return 0;
}

/* An accepted connection over loopback, both ends here. */
static int connected(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&at, len) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&at, &len) || connect(client, (struct sockaddr *)&at, len))
        return -1;
    return accept(listener, NULL, NULL);
}

static int watched(int fd)
{
    struct epoll_event in = { .events = EPOLLIN };
    int set = epoll_create1(EPOLL_CLOEXEC);
    return set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &in) == 0 ? set : -1;
}

int main(void)
{
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    int failed = 0;

    null_fd = open("/dev/null", O_WRONLY);
    zero_fd = open("/dev/zero", O_RDONLY);
    tcp_fd = connected();
    epoll_fd = watched(tcp_fd);
    if (!libc || null_fd < 0 || zero_fd < 0 || tcp_fd < 0 || epoll_fd < 0) {
        perror("calls");
        return 1;
    }
    *(void **)(void *)&libc_dup = dlsym(libc, "dup");
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        failed |= measure(libc, calls[i].name, calls[i].call);
    return failed;
}
