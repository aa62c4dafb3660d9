/* See mapped_file.h. */
#include "stats/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"

enum { GUARDED = 0400, OPEN = 0600, TRIES = 64 };

static int open_as(const char *path, int flags)
{
    return libc.open(path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, GUARDED);
}

/* A file with a second name may be another one of ours, to which somebody has made a link. */
static bool is_ours(const struct stat *st)
{
    return S_ISREG(st->st_mode) && st->st_uid == geteuid() && st->st_nlink == 1;
}

/* Who finds it lifted was not the only one. */
static bool lift_guard(const char *path)
{
    int saved = errno, fd = open_as(path, O_RDONLY);
    struct stat st;
    bool lifted = false;
    if (fd >= 0 && fstat(fd, &st) == 0 && is_ours(&st)) {
        mode_t mode = st.st_mode & 07777;
        lifted = mode == OPEN || (mode == GUARDED && fchmod(fd, OPEN) == 0);
    }
    if (fd >= 0)
        libc.close(fd);
    errno = saved;
    return lifted;
}

/* Another process may put the guard back before we are in. */
int mapped_file_open(const char *path, int flags)
{
    int fd = -1;
    for (int i = 0; i < TRIES && fd < 0; i++) {
        fd = open_as(path, O_RDWR | flags);
        if (fd < 0 && (errno != EACCES || !lift_guard(path)))
            break;
    }
    return fd;
}

void mapped_file_guard(int fd, const struct stat *st)
{
    if (st->st_mode & S_IWUSR)
        fchmod(fd, GUARDED);
}
