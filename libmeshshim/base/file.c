/* See file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"

/* As realloc, but for what stays behind in the heap: it may be a private key that was read. */
static bool resize(char **data, size_t used, size_t room)
{
    char *fresh = malloc(room);
    if (!fresh)
        return false;
    if (used)
        memcpy(fresh, *data, used);
    if (*data)
        explicit_bzero(*data, used);
    free(*data);
    *data = fresh;
    return true;
}

/*
 * Grows as it goes: what the kernel makes up (/proc) has no size before it is read. No more than that, for freeing a large piece changes how the
 * program's own memory is managed from then on (mallopt's M_MMAP_THRESHOLD).
 */
static int read_all(int fd, size_t most, char **data, size_t *length)
{
    size_t room = 0;
    *length = 0;
    for (;;) {
        ssize_t n;
        if (room < *length + 2) { /* one byte more than there may be, and a NUL */
            room = room == 0 ? 4096 : 2 * room;
            if (!resize(data, *length, room))
                return ENOMEM;
        }
        n = libc.read(fd, *data + *length, room - 1 - *length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            return 0;
        *length += (size_t)n;
        if (*length > most)
            return EFBIG;
    }
}

int file_read(const char *path, size_t most, char **data, size_t *length)
{
    int fd = libc.open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0);
    char *all = NULL;
    int error;

    if (fd < 0)
        return errno;
    error = read_all(fd, most, &all, length);
    libc.close(fd);
    if (error) {
        if (all)
            explicit_bzero(all, *length);
        free(all);
        return error;
    }
    all[*length] = '\0';
    resize(&all, *length + 1, *length + 1);
    *data = all;
    return 0;
}
