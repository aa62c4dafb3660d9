/* See file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"

static int read_all(int fd, size_t most, char *data, size_t *length)
{
    *length = 0;
    for (;;) {
        ssize_t n = libc.read(fd, data + *length, most + 1 - *length);
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
    char *all, *fitted;
    int error;

    if (fd < 0)
        return errno;
    all = malloc(most + 2);
    error = all ? read_all(fd, most, all, length) : ENOMEM;
    libc.close(fd);
    if (error) {
        free(all);
        return error;
    }
    all[*length] = '\0';
    fitted = realloc(all, *length + 1);
    *data = fitted ? fitted : all;
    return 0;
}
