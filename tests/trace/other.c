/* What is not TCP is not touched. */
#include "trace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

void script_udp(struct side *s)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    char byte;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) ||
        getsockname(fd, (struct sockaddr *)&address, &length))
        fail("bind");
    if (s->client) {
        hear(s, &address, sizeof address);
        said("connect", connect(fd, (struct sockaddr *)&address, sizeof address));
        say_send(fd, "datagram", 0);
        say_send(fd, "another", 0);
        say_send(fd, "", 0);
    } else {
        tell(s, &address, sizeof address);
        say_recv(fd, 4, 0);
        say_recv(fd, 100, MSG_PEEK);
        say_recv(fd, 100, 0);
        said("recv", recv(fd, &byte, 1, 0));
        say_recv(fd, 1, MSG_DONTWAIT);
    }
    meet(s);
}

void script_unix_sockets(struct side *s)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        fail("socketpair");
    say_send(pair[0], "unix", 0);
    say_poll(pair[1], POLLIN, SOON);
    say_recv(pair[1], 2, 0);
    say_recv(pair[1], 10, 0);
    say_recv(pair[1], 10, MSG_DONTWAIT);
    say_close(pair[0]);
    say_recv(pair[1], 10, 0);
    say_send(pair[1], "x", MSG_NOSIGNAL);
    say_so_error(pair[1]);
    (void)s;
}

void script_unix_listener(struct side *s)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), end;
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "meshshim-trace-%d",
             getpid()); /* abstract: no file */
    said("bind", bind(listener, (struct sockaddr *)&address, sizeof address));
    said("listen", listen(listener, 1));
    said("connect", connect(fd, (struct sockaddr *)&address, sizeof address));
    end = accept(listener, NULL, NULL);
    say_send(fd, "local", 0);
    say_recv(end, 10, 0);
    (void)s;
}

void script_pipes_and_files(struct side *s)
{
    int ends[2], file = open("/dev/zero", O_RDONLY), event = eventfd(3, EFD_NONBLOCK);
    uint64_t count = 0;
    char byte = 'x';
    if (pipe(ends))
        fail("pipe");
    say_write(ends[1], "pipe");
    say_read(ends[0], 100);
    say_close(ends[1]);
    say_read(ends[0], 100);
    said("read(/dev/zero)", read(file, &byte, 1));
    say("byte %d", byte);
    said("read(eventfd)", read(event, &count, sizeof count));
    say("count %d", (int)count);
    said("read(eventfd)", read(event, &count, sizeof count));
    said("recv(file)", recv(file, &byte, 1, 0));
    (void)s;
}

/* The other way into the kernel: closing by number, as libuv does. */
void script_syscall_close(struct side *s)
{
    int fd = connected(s), again;
    if (s->client) {
        said("syscall(close)", syscall(SYS_close, fd));
        said("syscall(close)", syscall(SYS_close, fd));
    } else {
        say_recv(fd, 10, 0);
        close(fd);
    }
    meet(s);
    again = connected(s);
    say("the same number: %d", again == fd);
    say_send(again, s->client ? "question" : "answer", 0);
    say_recv(again, 100, 0);
    meet(s);
}

/* A number closed in one life and opened as a file in the next is a file. */
void script_number_becomes_a_file(struct side *s)
{
    int fd = connected(s), file;
    char text[8] = { 0 };
    syscall(SYS_close, fd);
    file = open("/dev/zero", O_RDWR);
    say("the same number: %d", file == fd);
    said("read", read(file, text, sizeof text));
    said("write", write(file, text, sizeof text));
    said("recv", recv(file, text, sizeof text, 0));
    meet(s);
}
