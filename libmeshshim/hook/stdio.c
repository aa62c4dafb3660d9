/* See stdio.h. */
#include "hook/stdio.h"

#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/lock.h"
#include "base/quiet.h"
#include "hook/entry.h"

/* Of libc's FILE, what its headers no longer name (libio/libio.h). */
enum { UNBUFFERED = 0x2, NO_READS = 0x4, NO_WRITES = 0x8 };

/* Never freed, for another thread may be in the middle of a call on it; used again for another stream. */
struct pair {
    struct pair *next;
    FILE *_Atomic own; /* the program's; NULL: free */
    FILE *ours;
    int fd;
    _Atomic bool active; /* the descriptor leads to a connection */
};

static struct pair *_Atomic pairs;
static struct lock lock;
static _Atomic bool any; /* a stream of ours exists, or did */

bool stdio_is_file(const FILE *file)
{
    return file->_wide_data != (const struct _IO_wide_data *)-1; /* fopencookie puts that there */
}

void stdio_make_file(FILE *file)
{
    file->_wide_data = NULL;
}

/* ---- reading and writing ---- */

/* stdio takes 0 for an error, and would not come back for what is left. */
static ssize_t put_all(int fd, const char *data, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t put = hook_write(fd, data + done, n - done);
        if (put <= 0)
            break;
        done += (size_t)put;
    }
    return (ssize_t)done;
}

static int no_seek(void *cookie, off64_t *to, int whence)
{
    (void)cookie, (void)to, (void)whence;
    return (int)as_result(-ESPIPE);
}

/* Of a stream on a descriptor, the cookie is the descriptor. */
static int of(void *cookie)
{
    return (int)(intptr_t)cookie;
}

static ssize_t stream_in(void *cookie, char *data, size_t n)
{
    return hook_read(of(cookie), data, n);
}

static ssize_t stream_out(void *cookie, const char *data, size_t n)
{
    return put_all(of(cookie), data, n);
}

static int stream_close(void *cookie)
{
    return hook_close(of(cookie));
}

/* What the program's stream had read ahead before its descriptor became a connection comes first. */
static ssize_t pair_in(void *cookie, char *data, size_t n)
{
    const struct pair *pair = cookie;
    FILE *own = atomic_load(&pair->own);
    size_t ahead = own && own->_IO_read_ptr ? (size_t)(own->_IO_read_end - own->_IO_read_ptr) : 0;
    if (ahead == 0)
        return hook_read(pair->fd, data, n);
    if (n > ahead)
        n = ahead;
    memcpy(data, own->_IO_read_ptr, n);
    own->_IO_read_ptr += n;
    return (ssize_t)n;
}

static ssize_t pair_out(void *cookie, const char *data, size_t n)
{
    const struct pair *pair = cookie;
    return put_all(pair->fd, data, n);
}

static FILE *open_cookie(void *cookie, int fd, const char *mode, cookie_io_functions_t functions)
{
    FILE *file = fopencookie(cookie, mode, functions);
    if (file) {
        file->_fileno = fd; /* fileno(3) still answers */
        atomic_store(&any, true);
    }
    return file;
}

FILE *stdio_open(int fd, const char *mode)
{
    static const cookie_io_functions_t functions = { stream_in, stream_out, no_seek, stream_close };
    return open_cookie((void *)(intptr_t)fd, fd, mode, functions);
}

/* ---- pairs ---- */

static struct pair *pair_of(const FILE *own)
{
    struct pair *pair = atomic_load_explicit(&pairs, memory_order_acquire);
    while (pair && atomic_load(&pair->own) != own)
        pair = pair->next;
    return pair;
}

/* What the program has written and libc has not sent goes to where the descriptor leads now, as it would from libc's own buffer. */
static void move_output(FILE *own, FILE *ours)
{
    if (ftrylockfile(own) != 0) /* another thread is in it, in the kernel */
        return;
    if (own->_mode > 0)
        libc.__fpurge(own); /* wide characters: not to be had, and not to be sent in the clear */
    else if (own->_IO_write_ptr > own->_IO_write_base)
        libc.fwrite(own->_IO_write_base, 1, (size_t)(own->_IO_write_ptr - own->_IO_write_base), ours);
    /* No room, so that putc_unlocked, which a compiler puts into the program, calls libc. */
    own->_IO_write_ptr = own->_IO_write_end = own->_IO_write_base;
    funlockfile(own);
}

static const char *mode_of(const FILE *own)
{
    if (own->_flags & NO_READS)
        return "w";
    return own->_flags & NO_WRITES ? "r" : "r+";
}

static struct pair *new_pair(void)
{
    struct pair *pair = pair_of(NULL);
    if (pair)
        return pair;
    pair = calloc(1, sizeof *pair);
    if (pair) {
        pair->next = atomic_load(&pairs);
        atomic_store_explicit(&pairs, pair, memory_order_release);
    }
    return pair;
}

/* With the lock held. */
static struct pair *make_pair(FILE *own)
{
    static const cookie_io_functions_t functions = { pair_in, pair_out, no_seek, NULL };
    struct pair *pair = new_pair();
    if (!pair)
        return NULL;
    pair->fd = own->_fileno;
    pair->ours = open_cookie(pair, pair->fd, mode_of(own), functions);
    if (!pair->ours)
        return NULL;
    atomic_store(&pair->own, own);
    return pair;
}

/* The pair of a stream whose descriptor leads to a connection; NULL when out of memory. */
static struct pair *activate(FILE *own)
{
    struct pair *pair;
    struct quiet quiet;
    quiet_begin(&quiet);
    lock_take(&lock);
    pair = pair_of(own);
    if (!pair)
        pair = make_pair(own);
    if (pair && !atomic_load(&pair->active)) {
        pair->ours->_fileno = pair->fd = own->_fileno;
        if (own->_flags & UNBUFFERED)
            libc.setvbuf(pair->ours, NULL, _IONBF, 0);
        else if (__flbf(own))
            libc.setvbuf(pair->ours, NULL, _IOLBF, 0);
        move_output(own, pair->ours);
        atomic_store(&pair->active, true);
    }
    lock_release(&lock);
    quiet_end(&quiet);
    return pair;
}

FILE *stdio_stand_in(FILE *file)
{
    const struct conn *conn = fdtable_get(file->_fileno);
    struct pair *pair;
    if (!conn || conn_state(conn) == CONN_LISTENING || !stdio_is_file(file))
        return file;
    pair = pair_of(file);
    if (!pair || !atomic_load(&pair->active))
        pair = activate(file);
    return pair ? pair->ours : file;
}

static FILE **standard(int fd)
{
    FILE **const streams[] = { &stdin, &stdout, &stderr };
    return streams[fd];
}

void stdio_follow(int fd)
{
    FILE *own = fd >= 0 && fd <= 2 ? *standard(fd) : NULL;
    struct pair *pair;
    if (!own || own->_fileno != fd || !stdio_is_file(own))
        return;
    pair = activate(own);
    if (pair)
        *standard(fd) = pair->ours;
}

static void leave(struct pair *pair)
{
    if (!atomic_exchange(&pair->active, false))
        return;
    for (int fd = 0; fd <= 2; fd++)
        if (*standard(fd) == pair->ours)
            *standard(fd) = pair->own;
    if (ftrylockfile(pair->ours) != 0) /* another thread is in it, in the kernel */
        return;
    libc.fflush(pair->ours);
    libc.__fpurge(pair->ours);
    funlockfile(pair->ours);
}

void stdio_leave(int fd)
{
    struct pair *pair = atomic_load_explicit(&pairs, memory_order_acquire);
    for (; pair; pair = pair->next)
        if (pair->fd == fd)
            leave(pair);
}

FILE *stdio_forget(FILE *file)
{
    struct pair *pair = file ? atomic_load_explicit(&pairs, memory_order_acquire) : NULL;
    while (pair && atomic_load(&pair->own) != file && (!atomic_load(&pair->own) || pair->ours != file))
        pair = pair->next;
    if (!pair)
        return file;
    file = atomic_exchange(&pair->own, NULL);
    libc.fclose(pair->ours);
    return file;
}

void stdio_flush(void)
{
    if (atomic_load(&any))
        libc.fflush(NULL);
}

void stdio_after_fork(void)
{
    lock = (struct lock){ 0 };
}
