/* See watch.h. */
#include "admin/watch.h"

#include <errno.h>
#include <limits.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/log.h"

#define QUIET_MS 200  /* a certificate and its key do not come at the same instant */
#define MOST_MS  2000 /* but something that never rests must not hold up the rest */

#define CHANGES                                                                                              \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF |     \
     IN_MOVE_SELF)

int watch_open(void)
{
    return libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

static void add_file(struct watch *watch, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    struct watch_file *file = &watch->file[watch->count];
    char directory[PATH_MAX];
    int length = slash ? snprintf(directory, sizeof directory, "%.*s/", (int)(slash - path), path)
                       : snprintf(directory, sizeof directory, ".");

    if (watch->count == WATCH_FILES || length < 0 || (size_t)length >= sizeof directory ||
        strlen(name) >= sizeof file->name)
        return;
    file->directory = inotify_add_watch(watch->fd, directory, CHANGES | IN_ONLYDIR);
    if (file->directory < 0) {
        log_info("changes of %s will not be noticed: %s: %s; ask for a reload with meshctl reload", path,
                 directory, strerror(errno));
        return;
    }
    memcpy(file->name, name, strlen(name) + 1);
    watch->count++;
}

/* Where a symbolic link leads; false where `path` is none. */
static bool follow(char path[PATH_MAX])
{
    char target[PATH_MAX], whole[PATH_MAX];
    const char *slash = strrchr(path, '/');
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0)
        return false;
    target[n] = '\0';
    n = target[0] == '/' || !slash
            ? snprintf(whole, sizeof whole, "%s", target)
            : snprintf(whole, sizeof whole, "%.*s/%s", (int)(slash - path), path, target);
    if (n < 0 || n >= PATH_MAX)
        return false;
    memcpy(path, whole, (size_t)n + 1);
    return true;
}

/* Each link of a chain may be the one that is changed, and so may a directory on the way to the file itself. */
static void add_path(const char *path, void *context)
{
    enum { LINKS = 8 };
    struct watch *watch = context;
    char at[PATH_MAX], *target;
    int links = 0;

    if (!path || !*path || strlen(path) >= sizeof at)
        return;
    memcpy(at, path, strlen(path) + 1);
    do
        add_file(watch, at);
    while (links++ < LINKS && follow(at));
    target = realpath(path, NULL);
    if (target && strcmp(target, at) != 0)
        add_file(watch, target);
    free(target);
}

static bool watches(const struct watch *watch, int directory)
{
    for (unsigned i = 0; i < watch->count; i++) {
        if (watch->file[i].directory == directory)
            return true;
    }
    return false;
}

void watch_files(struct watch *watch,
                 void (*list)(void (*add)(const char *path, void *context), void *context))
{
    int before[WATCH_FILES];
    unsigned count = watch->count;

    for (unsigned i = 0; i < count; i++)
        before[i] = watch->file[i].directory;
    watch->count = 0;
    list(add_path, watch);
    for (unsigned i = 0; i < count; i++) {
        if (!watches(watch, before[i]))
            (void)inotify_rm_watch(watch->fd, before[i]); /* may be gone, or twice in the list */
    }
}

/* An event without a name is about the directory itself. */
static bool matters(const struct watch *watch, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW)
        return true;
    for (unsigned i = 0; i < watch->count; i++) {
        const struct watch_file *file = &watch->file[i];
        if (file->directory == event->wd &&
            (event->len == 0 || strcmp(event->name, file->name) == 0 || strcmp(event->name, "..data") == 0))
            return true;
    }
    return false;
}

void watch_read(struct watch *watch, int64_t now_ms)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t length;

    while ((length = libc.read(watch->fd, events, sizeof events)) > 0) {
        for (ssize_t at = 0; at < length;) {
            const struct inotify_event *event = (const struct inotify_event *)(const void *)(events + at);
            if (matters(watch, event)) {
                watch->last_ms = now_ms;
                watch->first_ms = watch->first_ms ? watch->first_ms : now_ms;
            }
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
}

int64_t watch_due(const struct watch *watch)
{
    int64_t quiet = watch->last_ms + QUIET_MS, most = watch->first_ms + MOST_MS;
    if (watch->first_ms == 0)
        return -1;
    return quiet < most ? quiet : most;
}

void watch_reported(struct watch *watch)
{
    watch->first_ms = watch->last_ms = 0;
}
