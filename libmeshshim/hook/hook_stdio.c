/*
 * stdio on a protected connection. libc's own streams read and write by system calls that nothing can see, so fdopen gives a
 * stream whose reads and writes are the hooks (fopencookie), and dprintf formats first and writes then.
 */
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "hook/entry.h"
#include "hook/stdio.h"

static _Atomic bool any; /* a stream of ours exists, or did */

/* The cookie is the descriptor itself. */
static int of(void *cookie)
{
    return (int)(intptr_t)cookie;
}

static ssize_t stream_in(void *cookie, char *buffer, size_t n)
{
    return hook_read(of(cookie), buffer, n);
}

/* stdio takes 0 for an error, and would not come back for what is left. */
static ssize_t stream_out(void *cookie, const char *buffer, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t put = hook_write(of(cookie), buffer + done, n - done);
        if (put <= 0)
            break;
        done += (size_t)put;
    }
    return (ssize_t)done;
}

static int stream_close(void *cookie)
{
    return hook_close(of(cookie));
}

FILE *hook_fdopen(int fd, const char *mode)
{
    static const cookie_io_functions_t functions = { stream_in, stream_out, NULL, stream_close };
    struct conn *conn = fdtable_get(fd);
    FILE *file;
    if (!conn || conn_state(conn) == CONN_LISTENING)
        return libc.fdopen(fd, mode);
    file = fopencookie((void *)(intptr_t)fd, mode, functions);
    if (file) {
        file->_fileno = fd; /* fileno(3) still answers */
        atomic_store(&any, true);
    }
    return file;
}

/* ---- stdin, stdout, stderr ---- */

static FILE *own[3], *ours[3];

static FILE **standard(int fd)
{
    FILE **const streams[] = { &stdin, &stdout, &stderr };
    return streams[fd];
}

void stdio_follow(int fd)
{
    static const cookie_io_functions_t functions = { stream_in, stream_out, NULL, NULL };
    FILE *file;
    if (fd < 0 || fd > 2 || ours[fd])
        return;
    file = fopencookie((void *)(intptr_t)fd, fd == 0 ? "r" : "w", functions);
    if (!file)
        return;
    file->_fileno = fd;
    if (fd == 2)
        setvbuf(file, NULL, _IONBF, 0);
    own[fd] = *standard(fd);
    ours[fd] = file;
    *standard(fd) = file;
    atomic_store(&any, true);
}

void stdio_leave(int fd)
{
    FILE *file = fd >= 0 && fd <= 2 ? ours[fd] : NULL;
    if (!file)
        return;
    ours[fd] = NULL;
    if (*standard(fd) == file)
        *standard(fd) = own[fd];
    libc.fclose(file); /* flushes; the descriptor is not the stream's to close */
}

bool stdio_is_ours(const FILE *file)
{
    return file && (file == ours[0] || file == ours[1] || file == ours[2]);
}

void stdio_flush(void)
{
    if (atomic_load(&any))
        fflush(NULL);
}

static int print_to(int fd, const char *format, va_list args)
{
    char *text = NULL;
    int n = vasprintf(&text, format, args);
    if (n > 0)
        n = (int)stream_out((void *)(intptr_t)fd, text, (size_t)n) == n ? n : -1;
    free(text);
    return n;
}

int hook_vdprintf(int fd, const char *format, va_list args)
{
    return protected_conn(fd) ? print_to(fd, format, args) : libc.vdprintf(fd, format, args);
}

int hook___vdprintf_chk(int fd, int flag, const char *format, va_list args)
{
    return protected_conn(fd) ? print_to(fd, format, args) : libc.__vdprintf_chk(fd, flag, format, args);
}

int hook_dprintf(int fd, const char *format, ...)
{
    va_list args;
    int n;
    va_start(args, format);
    n = hook_vdprintf(fd, format, args);
    va_end(args);
    return n;
}

int hook___dprintf_chk(int fd, int flag, const char *format, ...)
{
    va_list args;
    int n;
    va_start(args, format);
    n = hook___vdprintf_chk(fd, flag, format, args);
    va_end(args);
    return n;
}
