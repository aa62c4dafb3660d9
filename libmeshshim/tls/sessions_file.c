/* See sessions_file.h. */
#include "tls/sessions_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#include "base/banned.h"
#include "base/libc.h"
#include "stats/mapped_file.h"
#include "stats/rundir.h"

/* Two workloads with one number would do no harm: who finds a session must have the identity that it was made with. */
static uint64_t number_of(const char *owner, unsigned layout)
{
    uint64_t hash = 14695981039346656037u ^ layout;
    while (*owner)
        hash = (hash ^ (unsigned char)*owner++) * 1099511628211u;
    return hash;
}

/* Secrets do not go to a disk. */
static bool in_memory(const char *directory)
{
    struct statfs fs;
    return statfs(directory, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

static bool ours_alone(const struct stat *st)
{
    return S_ISREG(st->st_mode) && st->st_uid == geteuid() && (st->st_mode & 0177) == 0 && st->st_nlink == 1;
}

/* Whoever comes first gives it its size, and memory for all of it: to touch it must never raise SIGBUS. */
static bool has_room(int fd, size_t size)
{
    const struct timespec pause = { 0, 2000000 };
    struct stat st;
    bool locked = false, good;
    for (int i = 0; i < 100 && !locked; i++) {
        locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
        if (!locked)
            nanosleep(&pause, NULL);
    }
    if (!locked)
        return false;
    good = fstat(fd, &st) == 0 &&
           (st.st_size == (off_t)size || (st.st_size == 0 && fallocate(fd, 0, 0, (off_t)size) == 0));
    flock(fd, LOCK_UN);
    return good;
}

static int open_file(const char *runtime_dir, const char *owner, unsigned layout, size_t size)
{
    char path[512];
    struct stat st;
    int fd, n = snprintf(path, sizeof path, "%s/sessions-%u-%016llx", runtime_dir, (unsigned)geteuid(),
                         (unsigned long long)number_of(owner, layout));
    if (n < 0 || (size_t)n >= sizeof path || rundir_prepare(runtime_dir) != 0 || !in_memory(runtime_dir))
        return -1;
    fd = mapped_file_open(path, O_CREAT);
    if (fd >= 0 && fstat(fd, &st) == 0 && ours_alone(&st)) {
        mapped_file_guard(fd, &st);
        if (st.st_size == (off_t)size || has_room(fd, size)) /* it has its size when all of it has memory */
            return fd;
    }
    if (fd >= 0)
        libc.close(fd);
    return -1;
}

static void *map(int fd, size_t size, int flags)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd, 0);
    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, size, MADV_DONTDUMP);
    return memory;
}

void *sessions_file_map(const char *runtime_dir, const char *owner, unsigned layout, size_t size)
{
    void *memory;
    int fd = open_file(runtime_dir, owner, layout, size);
    if (fd < 0)
        return NULL;
    memory = map(fd, size, 0);
    libc.close(fd);
    return memory;
}

void *sessions_private_map(size_t size)
{
    return map(-1, size, MAP_ANONYMOUS | MAP_NORESERVE);
}

/* Faulted in by madvise, what is beyond the file's end is an error and no SIGBUS. Kernels before 5.14 do not know how. */
bool sessions_is_there(const void *last)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    void *at = (void *)((uintptr_t)last / page * page);
    int saved = errno;
    bool there = madvise(at, page, MADV_POPULATE_WRITE) == 0 || errno != EFAULT;
    errno = saved;
    return there;
}

void sessions_unmap(void *memory, size_t size)
{
    if (memory)
        munmap(memory, size);
}
