/* See region_file.h. */
#include "stats/region_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/log.h"
#include "stats/mapped_file.h"
#include "stats/region.h"

#define PREFIX "stats-"
#define SUFFIX ".shm"

/* A second name may be that of another file of ours, to which somebody has made a link. */
static int check_owner(const struct stat *st, uid_t uid)
{
    if (!S_ISREG(st->st_mode) || st->st_uid != uid || (st->st_mode & (S_IWGRP | S_IWOTH)) || st->st_nlink > 1)
        return EPERM;
    return 0;
}

static bool header_is_expected(int fd, const struct stat *st)
{
    struct region_header header;
    return st->st_size == (off_t)REGION_SIZE && pread(fd, &header, sizeof header, 0) == sizeof header &&
           memcmp(&header, &region_expected_header, sizeof header) == 0;
}

/* The lock goes with the descriptor's file, so a holder that dies gives it back; a stopped one must not stop
 * us. */
static int lock_file(int fd)
{
    const struct timespec pause = { 0, 2000000 };
    for (int i = 0; i < 100; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return errno;
        nanosleep(&pause, NULL);
    }
    return EAGAIN;
}

/* The magic comes last: a file without it was left by somebody who died here. */
static int initialise(int fd)
{
    struct region_header header = region_expected_header;
    memset(header.magic, 0, sizeof header.magic);
    if (ftruncate(fd, (off_t)REGION_SIZE) < 0)
        return errno;
    if (fallocate(fd, 0, 0, REGION_PROCESS_OFFSET) < 0 && errno != EOPNOTSUPP)
        return errno;
    if (pwrite(fd, &header, sizeof header, 0) != sizeof header)
        return errno ? errno : ENOSPC;
    if (pwrite(fd, region_expected_header.magic, sizeof header.magic, 0) != sizeof header.magic)
        return errno ? errno : ENOSPC;
    return 0;
}

/* Is what we have locked still what the path names? Only then may it be initialised or removed. */
static bool still_there(const char *path, const struct stat *st)
{
    struct stat now;
    return lstat(path, &now) == 0 && now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

/* Under the lock: 0 where it may be used, ESTALE where the caller must open again, else an errno. */
static int settle(int fd, const char *path)
{
    struct stat st;
    int error = fstat(fd, &st) < 0 ? errno : check_owner(&st, geteuid());
    if (error)
        return error;
    if (!still_there(path, &st))
        return ESTALE;
    if (st.st_size == 0) {
        error = initialise(fd);
        if (error)
            unlink(path);
        return error;
    }
    if (header_is_expected(fd, &st))
        return 0;
    log_info("%s is not of this version of meshshim: it is replaced, and counting starts anew", path);
    return unlink(path) < 0 ? errno : ESTALE;
}

static int open_once(const char *path, int *fd)
{
    struct stat st;
    int error;
    *fd = mapped_file_open(path, O_CREAT);
    if (*fd < 0)
        return errno == ELOOP ? EPERM : errno;
    error = fstat(*fd, &st) < 0 ? errno : check_owner(&st, geteuid());
    if (!error)
        mapped_file_guard(*fd, &st);
    if (!error && header_is_expected(*fd, &st))
        return 0;
    error = error ? error : lock_file(*fd);
    if (!error) {
        error = settle(*fd, path);
        flock(*fd, LOCK_UN); /* by name, for a child forked meanwhile holds the descriptor too */
    }
    if (error)
        libc.close(*fd);
    return error;
}

int region_file_open(const char *directory, char *path, size_t room, int *fd)
{
    int length = snprintf(path, room, "%s/" PREFIX "%u" SUFFIX, directory, (unsigned)geteuid());
    int error = length < 0 || (size_t)length >= room ? ENAMETOOLONG : ESTALE;
    for (int i = 0; i < 8 && error == ESTALE; i++)
        error = open_once(path, fd);
    if (error)
        path[0] = '\0';
    return error;
}

bool region_file_name(const char *name, uid_t *uid)
{
    unsigned long number;
    char *end;
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return false;
    name += strlen(PREFIX);
    if (*name < '0' || *name > '9')
        return false;
    errno = 0;
    number = strtoul(name, &end, 10);
    *uid = (uid_t)number;
    return errno == 0 && number == *uid && strcmp(end, SUFFIX) == 0;
}

int region_file_open_to_read(const char *directory, const char *name)
{
    char path[512];
    struct stat st;
    uid_t uid;
    int fd, length = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (length < 0 || (size_t)length >= sizeof path || !region_file_name(name, &uid))
        return -1;
    fd = libc.open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && !check_owner(&st, uid) && header_is_expected(fd, &st))
        return fd;
    libc.close(fd);
    return -1;
}
