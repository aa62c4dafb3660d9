/* See rundir.h. */
#include "stats/rundir.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

static bool in_a_public_place(const char *path)
{
    char parent[PATH_MAX + 4];
    struct stat st;
    int length = snprintf(parent, sizeof parent, "%s/..", path);
    return length > 0 && (size_t)length < sizeof parent && stat(parent, &st) == 0 && (st.st_mode & S_ISVTX) &&
           (st.st_mode & S_IWOTH);
}

/* root's files are as good as our own: root could do anything anyway. */
static bool trusted(uid_t uid)
{
    return uid == 0 || uid == geteuid();
}

/* In /tmp whoever comes first owns the name. A symbolic link's "..", too, is its target's. */
static int judge(const char *path)
{
    struct stat link, target;
    if (lstat(path, &link) < 0 || stat(path, &target) < 0)
        return errno;
    if (!S_ISDIR(target.st_mode))
        return ENOTDIR;
    if (S_ISLNK(link.st_mode) && !trusted(link.st_uid))
        return EPERM;
    return trusted(target.st_uid) || !in_a_public_place(path) ? 0 : EPERM;
}

int rundir_prepare(const char *path)
{
    if (!path || !*path)
        return ENOENT;
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        /* A read-only file system, or no right to write there: the directory may still be there. */
        int error = errno;
        struct stat st;
        if (stat(path, &st) < 0)
            return error;
    }
    return judge(path);
}
