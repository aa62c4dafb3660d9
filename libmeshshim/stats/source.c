/* See source.h. */
#include "stats/source.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"
#include "stats/owner.h"
#include "stats/region_file.h"
#include "stats/regions.h"

#define MOST_SOURCES 256 /* users of one directory */

bool source_read(const struct source *source, size_t offset, void *to, size_t length)
{
    if (source->fd >= 0)
        return pread(source->fd, to, length, (off_t)offset) == (ssize_t)length;
    if (!region_allocate(source->region, offset, length))
        return false;
    memcpy(to, atomic_load(&source->region->base) + offset, length);
    return true;
}

static void add_process(struct source *source, uint64_t owner, uint64_t self)
{
    const struct region_process *record = &source->record;
    int alive = -1; /* not known: asked only where it matters */
    for (size_t i = 0; i < REGION_SERIES; i++) {
        int32_t active = atomic_load(&record->active[i]);
        if (active <= 0)
            continue;
        if (alive < 0)
            alive = !owner_gone(owner, self);
        if (alive)
            source->active[i] += active;
        else
            source->left[i] += (uint64_t)active;
    }
}

static void count_active(struct source *source, uint64_t self)
{
    for (size_t i = 0; i < REGION_PROCESSES; i++) {
        uint64_t owner = atomic_load(&source->control.owner[i]);
        size_t offset = REGION_PROCESS_OFFSET + i * sizeof source->record;
        if (owner && source_read(source, offset, &source->record, sizeof source->record))
            add_process(source, owner, self);
    }
}

/* Takes the descriptor. */
static bool add(struct sources *sources, int fd, struct region *region)
{
    struct source *source = aligned_alloc(_Alignof(struct source), sizeof *source);
    if (!source) {
        if (fd >= 0)
            libc.close(fd);
        return false;
    }
    memset(source, 0, sizeof *source);
    source->fd = fd;
    source->region = region;
    sources->list[sources->count++] = source;
    if (source_read(source, 0, &source->control, sizeof source->control))
        count_active(source, owner_self());
    return true;
}

static bool have(const struct sources *sources, const struct region *region)
{
    struct stat st;
    for (size_t i = 0; i < sources->count; i++) {
        if (fstat(sources->list[i]->fd, &st) == 0 && st.st_dev == region->device &&
            st.st_ino == region->inode)
            return true;
    }
    return false;
}

static int add_files(struct sources *sources, const char *directory)
{
    DIR *dir = directory ? libc.opendir(directory) : NULL;
    struct dirent *entry;
    int error = 0;
    if (!dir)
        return 0;
    while (!error && sources->count < MOST_SOURCES && (entry = readdir(dir)) != NULL) {
        int fd = region_file_open_to_read(directory, entry->d_name);
        if (fd >= 0 && !add(sources, fd, NULL))
            error = ENOMEM;
    }
    closedir(dir);
    return error;
}

static bool lies_in(const struct region *region, const char *directory)
{
    size_t length = directory ? strlen(directory) : 0;
    return length && strncmp(region->path, directory, length) == 0 && region->path[length] == '/' &&
           !strchr(region->path + length + 1, '/');
}

/* Our own file may be out of sight: the program went into a chroot, or somebody emptied the directory. */
static int add_own(struct sources *sources, const char *directory)
{
    struct region *file = regions_file(), *anonymous = regions_anonymous();
    if (file && lies_in(file, directory) && !have(sources, file) && !add(sources, -1, file))
        return ENOMEM;
    return anonymous && !add(sources, -1, anonymous) ? ENOMEM : 0;
}

int sources_open(struct sources *sources, const char *directory)
{
    int error;
    sources->count = 0;
    sources->list = calloc(MOST_SOURCES + 2, sizeof *sources->list);
    if (!sources->list)
        return ENOMEM;
    error = add_files(sources, directory);
    if (!error)
        error = add_own(sources, directory);
    return error || sources->count ? error : ENOENT;
}

void sources_close(struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        if (sources->list[i]->fd >= 0)
            libc.close(sources->list[i]->fd);
        free(sources->list[i]);
    }
    free(sources->list);
}
