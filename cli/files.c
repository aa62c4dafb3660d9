/* See files.h. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

bool file_path_join(char path[PATH_MAX], const char *directory, const char *name, struct buf *why)
{
    int length = snprintf(path, PATH_MAX, "%s/%s", directory, name);
    if (length > 0 && length < PATH_MAX)
        return true;
    buf_printf(why, "the path %s/%s is too long; choose a shorter directory", directory, name);
    return false;
}

bool directory_make(const char *path, mode_t mode, struct buf *why)
{
    char part[PATH_MAX];
    struct stat st;
    size_t length = strlen(path);

    if (length == 0 || length >= sizeof part) {
        buf_printf(why, "'%s' is not a directory's name; give a path of 1 to %d bytes", path, PATH_MAX - 1);
        return false;
    }
    memcpy(part, path, length + 1);
    for (size_t i = 1; i < length; i++) {
        if (part[i] != '/')
            continue;
        part[i] = '\0';
        (void)mkdir(part, 0755); /* the last one tells whether this worked */
        part[i] = '/';
    }
    if (mkdir(path, mode) == 0 || (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return true;
    buf_printf(why, "cannot make the directory %s (%s); choose another, or mend its parent", path,
               strerror(errno));
    return false;
}

static int write_all(int fd, const struct buf *data)
{
    for (size_t done = 0; done < data->length;) {
        ssize_t n = write(fd, data->data + done, data->length - done);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0)
            done += (size_t)n;
    }
    return fsync(fd) == 0 ? 0 : errno;
}

/* mkostemp makes it 0600; the mode is widened before a byte is in it only where that is asked for. */
static int fill_temporary(int fd, const struct buf *data, mode_t mode)
{
    int error = fchmod(fd, mode) == 0 ? 0 : errno;
    if (!error)
        error = write_all(fd, data);
    if (close(fd) != 0 && !error)
        error = errno;
    return error;
}

bool file_stage(struct staged *staged, const char *directory, const char *name, const struct buf *data,
                mode_t mode, struct buf *why)
{
    char hidden[NAME_MAX + 1];
    int fd, error;

    staged->temporary[0] = '\0';
    snprintf(hidden, sizeof hidden, ".%s.XXXXXX", name);
    if (!file_path_join(staged->final, directory, name, why) ||
        !file_path_join(staged->temporary, directory, hidden, why))
        return false;
    fd = mkostemp(staged->temporary, O_CLOEXEC);
    error = fd < 0 ? errno : fill_temporary(fd, data, mode);
    if (!error)
        return true;
    if (fd >= 0)
        (void)unlink(staged->temporary);
    staged->temporary[0] = '\0';
    buf_printf(why, "cannot write %s (%s); check the directory's owner and its free space", staged->final,
               strerror(error));
    return false;
}

bool file_commit(struct staged *staged, struct buf *why)
{
    if (rename(staged->temporary, staged->final) == 0) {
        staged->temporary[0] = '\0';
        return true;
    }
    buf_printf(why, "cannot replace %s (%s); check its directory's owner", staged->final, strerror(errno));
    return false;
}

void file_drop(struct staged *staged)
{
    if (staged->temporary[0])
        (void)unlink(staged->temporary);
    staged->temporary[0] = '\0';
}

void directory_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

int file_create(const char *path, const struct buf *data, mode_t mode)
{
    int error, fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno;
    error = fill_temporary(fd, data, mode);
    if (error)
        (void)unlink(path);
    return error;
}
