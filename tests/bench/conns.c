/* Connections to 127.0.0.1, one after the other:
 *   conns first PORT          microseconds of a process's first connection with a byte each way, and of its second
 *   conns hold PORT COUNT     makes COUNT, a byte each way, says so, and keeps them until standard input ends
 *   conns get PORT SECONDS    GET /1k, a connection each; prints how many a second
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void must(int good, const char *what)
{
    if (!good) {
        perror(what);
        exit(1);
    }
}

static int dial(unsigned short port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    must(fd >= 0, "socket");
    must(connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect");
    return fd;
}

static int said_hello(unsigned short port)
{
    char byte = 'x';
    int fd = dial(port);
    must(write(fd, &byte, 1) == 1, "write");
    must(read(fd, &byte, 1) == 1, "read");
    return fd;
}

static void first(unsigned short port)
{
    double start = now_us(), middle;
    close(said_hello(port));
    middle = now_us();
    close(said_hello(port));
    printf("%.1f %.1f\n", middle - start, now_us() - middle);
}

static void hold(unsigned short port, long count)
{
    char byte;
    for (long i = 0; i < count; i++)
        said_hello(port);
    printf("%ld held\n", count);
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        ;
}

static void get_once(unsigned short port)
{
    static const char request[] = "GET /1k HTTP/1.0\r\n\r\n";
    char bytes[8192];
    size_t total = 0;
    ssize_t n;
    int fd = dial(port);
    must(write(fd, request, sizeof request - 1) == sizeof request - 1, "write");
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        total += (size_t)n;
    must(n == 0 && total > 1024, "read");
    close(fd);
}

static void get(unsigned short port, double seconds)
{
    double start = now_us(), end = start + seconds * 1e6;
    long count = 0;
    while (now_us() < end) {
        get_once(port);
        count++;
    }
    printf("%.1f\n", (double)count * 1e6 / (now_us() - start));
}

int main(int argc, char **argv)
{
    struct rlimit files = { 65536, 65536 };
    setrlimit(RLIMIT_NOFILE, &files);
    unsigned short port = (unsigned short)(argc > 2 ? strtol(argv[2], NULL, 10) : 0);
    if (argc == 3 && strcmp(argv[1], "first") == 0)
        first(port);
    else if (argc == 4 && strcmp(argv[1], "hold") == 0)
        hold(port, strtol(argv[3], NULL, 10));
    else if (argc == 4 && strcmp(argv[1], "get") == 0)
        get(port, strtod(argv[3], NULL));
    else {
        fprintf(stderr, "usage: conns first PORT | hold PORT COUNT | get PORT SECONDS\n");
        return 2;
    }
    return 0;
}
