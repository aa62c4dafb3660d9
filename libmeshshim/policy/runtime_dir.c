/* See runtime_dir.h. */
#include "policy/runtime_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/banned.h"

/* Whether files can be made in it, or it can be made itself where it does not exist yet. */
static int is_usable(const char *path, const char *parent)
{
    if (faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0)
        return 1;
    return errno == ENOENT && faccessat(AT_FDCWD, parent, W_OK | X_OK, AT_EACCESS) == 0;
}

char *runtime_dir_default(void)
{
    const char *xdg = secure_getenv("XDG_RUNTIME_DIR");
    char *path = NULL;

    if (is_usable("/run/meshshim", "/run"))
        return strdup("/run/meshshim");
    if (xdg && *xdg == '/' && strlen(xdg) + strlen("/meshshim") <= RUNTIME_DIR_MOST) {
        if (asprintf(&path, "%s/meshshim", xdg) < 0)
            return NULL;
        if (is_usable(path, xdg))
            return path;
        free(path);
    }
    return asprintf(&path, "/tmp/meshshim-%u", (unsigned)geteuid()) < 0 ? NULL : path;
}
