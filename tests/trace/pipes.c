/* Calls that move bytes inside the kernel, where nothing could seal them: a socket is refused, a pipe beside it is not. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

static void say_refusals(int fd, int pipe_in, int pipe_out)
{
    struct iovec v = { "in the clear", 12 };
    int file = memfd_create("trace", 0);
    if (write(file, "in the clear", 12) != 12 || lseek(file, 0, SEEK_SET) != 0)
        fail("memfd");
    said("tee(pipe, socket)", tee(pipe_in, fd, 5, 0));
    said("tee(socket, pipe)", tee(fd, pipe_out, 5, SPLICE_F_NONBLOCK));
    said("vmsplice(socket)", vmsplice(fd, &v, 1, 0));
    said("copy_file_range(file, socket)", copy_file_range(file, NULL, fd, NULL, 12, 0));
    said("copy_file_range(socket, file)", copy_file_range(fd, NULL, file, NULL, 12, 0));
    said("syscall(tee)", syscall(SYS_tee, pipe_in, fd, 5, 0));
    said("syscall(vmsplice)", syscall(SYS_vmsplice, fd, &v, 1, 0));
    said("syscall(copy_file_range)", syscall(SYS_copy_file_range, file, NULL, fd, NULL, 12, 0));
    said("splice(socket, socket)", splice(fd, NULL, fd, NULL, 5, SPLICE_F_NONBLOCK));
    close(file);
}

/* What vmsplice and tee put into pipes goes through splice, and arrives. */
void script_tee_and_vmsplice(struct side *s)
{
    int fd = connected(s), first[2], second[2];
    struct iovec v = { "by vmsplice", 11 };
    if (pipe(first) || pipe(second))
        fail("pipe");
    if (s->client) {
        said("vmsplice(pipe)", vmsplice(first[1], &v, 1, 0));
        say_refusals(fd, first[0], second[1]);
        said("tee(pipe, pipe)", tee(first[0], second[1], 11, 0));
        said("splice", splice(first[0], NULL, fd, NULL, 11, 0));
        said("syscall(splice)", syscall(SYS_splice, second[0], NULL, fd, NULL, 11, 0));
    } else {
        char text[100];
        say_recv(fd, 11, MSG_WAITALL);
        await(fd, POLLIN);
        said("splice", splice(fd, NULL, first[1], NULL, 11, 0));
        said("tee(pipe, pipe)", tee(first[0], second[1], 11, 0));
        say_bytes("first", read(first[0], text, sizeof text), text);
        say_bytes("second", read(second[0], text, sizeof text), text);
    }
    meet(s);
}
