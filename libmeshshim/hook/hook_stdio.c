/* stdio on descriptors: opened, opened again, closed, and printed to without a stream. */
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/quiet.h"
#include "hook/entry.h"
#include "hook/stdio.h"

FILE *hook_fdopen(int fd, const char *mode)
{
    const struct conn *conn = fdtable_get(fd);
    if (!conn || conn_state(conn) == CONN_LISTENING)
        return libc.fdopen(fd, mode);
    return stdio_open(fd, mode);
}

/* stdio closes inside libc. */
int hook_fclose(FILE *file)
{
    int fd = file ? fileno(file) : -1, flushed, closed;
    struct quiet quiet;
    struct conn *conn;
    if (fd < 0 || !fdtable_get(fd))
        return libc.fclose(stdio_forget(file));
    flushed = libc.fflush(stdio_of(file));
    quiet_begin(&quiet);
    conn = entry_leave(fd);
    closed = libc.fclose(stdio_forget(file));
    if (conn)
        conn_left(conn, fd, NULL);
    quiet_end(&quiet);
    return flushed ? flushed : closed;
}

/* The number stays, but leads to the file. A stream that we have made is turned into one that libc takes for a file's. */
static FILE *open_again(const char *path, const char *mode, FILE *file,
                        FILE *real(const char *, const char *, FILE *))
{
    int fd = fileno(file);
    struct conn *conn;
    FILE *result;
    bool made;
    if (fd < 0 || !fdtable_get(fd)) {
        result = real(path, mode, stdio_forget(file));
        if (fd < 0 && result)
            entry_new(fileno(result));
        return result;
    }
    libc.fflush(stdio_of(file));
    conn = entry_leave(fd);
    file = stdio_forget(file);
    made = !stdio_is_file(file);
    if (made)
        stdio_make_file(file);
    result = real(path, mode, file);
    if (made && result)
        result->_mode = -1; /* it has no room for wide characters */
    if (conn)
        conn_left(conn, fd, NULL);
    return result;
}

FILE *hook_freopen(const char *path, const char *mode, FILE *file)
{
    return open_again(path, mode, file, libc.freopen);
}

FILE *hook_freopen64(const char *path, const char *mode, FILE *file)
{
    return open_again(path, mode, file, libc.freopen64);
}

static bool put_all(int fd, const char *text, size_t n)
{
    while (n) {
        ssize_t put = hook_write(fd, text, n);
        if (put <= 0)
            return false;
        text += put;
        n -= (size_t)put;
    }
    return true;
}

static int print_to(int fd, const char *format, va_list args)
{
    char *text = NULL;
    int n = vasprintf(&text, format, args);
    if (n > 0)
        n = put_all(fd, text, (size_t)n) ? n : -1;
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
