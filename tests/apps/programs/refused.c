/*
 * Ways into libc and the kernel by which bytes would go past the hooks, tried on a protected connection: each must be refused, and the
 * connection go on. Prints a line each, and then what HTTP answers.
 *
 *   refused PORT PATH
 */
#include <aio.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/aio_abi.h>
#include <netdb.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/banned.h"

static char clear[] = "in the clear";

static void said(const char *call, long result)
{
    printf("%s: %s\n", call, result < 0 ? strerrorname_np(errno) : "done");
}

static void by_threads(int fd)
{
    struct aiocb one = {
        .aio_fildes = fd, .aio_buf = clear, .aio_nbytes = sizeof clear - 1, .aio_lio_opcode = LIO_WRITE
    };
    struct aiocb64 same = {
        .aio_fildes = fd, .aio_buf = clear, .aio_nbytes = sizeof clear - 1, .aio_lio_opcode = LIO_WRITE
    };
    struct aiocb *list[] = { NULL, &one };
    struct aiocb64 *list64[] = { NULL, &same };
    said("aio_write", aio_write(&one));
    said("aio_write64", aio_write64(&same));
    said("lio_listio", lio_listio(LIO_WAIT, list, 2, NULL));
    said("lio_listio64", lio_listio64(LIO_WAIT, list64, 2, NULL));
    said("aio_read", aio_read(&one));
    said("aio_read64", aio_read64(&same));
}

static void by_kernel(int fd)
{
    aio_context_t context = 0;
    struct iocb one = { .aio_fildes = (uint32_t)fd,
                        .aio_lio_opcode = IOCB_CMD_PWRITE,
                        .aio_buf = (uint64_t)(uintptr_t)clear,
                        .aio_nbytes = sizeof clear - 1 };
    struct iocb *list[] = { &one };
    if (syscall(SYS_io_setup, 1L, &context) != 0) {
        printf("io_submit: EINVAL\n"); /* no such thing in this kernel */
        return;
    }
    said("io_submit", syscall(SYS_io_submit, context, 1L, list));
    syscall(SYS_io_destroy, context);
}

static void by_libc(const char *port)
{
    char name[] = "127.0.0.1", *host = name;
    uint16_t number = htons((uint16_t)strtol(port, NULL, 10));
    said("rcmd", rcmd(&host, number, "me", "you", clear, NULL));
    said("rcmd_af", rcmd_af(&host, number, "me", "you", clear, NULL, AF_INET));
    said("rexec", rexec(&host, number, "me", "you", clear, NULL));
    said("rexec_af", rexec_af(&host, number, "me", "you", clear, NULL, AF_INET));
}

static int fetch(int fd, const char *path)
{
    char answer[4096];
    ssize_t got;
    dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", path);
    got = recv(fd, answer, sizeof answer - 1, 0);
    answer[got > 0 ? got : 0] = '\0';
    answer[strcspn(answer, "\r\n")] = '\0';
    puts(answer);
    return 0;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (argc != 3)
        return 2;
    address.sin_port = htons((uint16_t)strtol(argv[1], NULL, 10));
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) {
        perror("refused: connect");
        return 1;
    }
    by_threads(fd);
    by_kernel(fd);
    by_libc(argv[1]);
    return fetch(fd, argv[2]);
}
