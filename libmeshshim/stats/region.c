/* Mapping and allocating. See region.h; the file itself is region_file.c's. */
#include "stats/region.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"
#include "stats/mapped_file.h"
#include "stats/region_file.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

_Static_assert(sizeof(struct region_header) < REGION_PAGE, "the header has a page of its own");
_Static_assert(sizeof(struct region_process) % REGION_PAGE == 0, "no page has two processes' records");

const struct region_header region_expected_header = {
    .magic = "MESHSTAT",
    .version = REGION_VERSION,
    .series = REGION_SERIES,
    .processes = REGION_PROCESSES,
    .buckets = HISTOGRAM_BUCKETS,
    .block_size = REGION_BLOCK_SIZE,
    .file_size = REGION_SIZE,
};

/* The first to finish wins; another thread's mapping is given back. */
static void publish(struct region *region, char *base)
{
    char *none = NULL;
    if (!atomic_compare_exchange_strong(&region->base, &none, base))
        munmap(base, REGION_SIZE);
}

int region_open(struct region *region, const char *directory)
{
    char path[sizeof region->path], *base;
    struct stat st;
    int fd, error;

    if (atomic_load_explicit(&region->base, memory_order_acquire))
        return 0;
    error = region_file_open(directory, path, sizeof path, &fd);
    if (error)
        return error;
    if (fstat(fd, &st) < 0) {
        error = errno;
        libc.close(fd);
        return error;
    }
    base = mmap(NULL, REGION_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    error = errno;
    libc.close(fd);
    if (base == MAP_FAILED)
        return error;
    memcpy(region->path, path, sizeof path);
    region->device = st.st_dev;
    region->inode = st.st_ino;
    publish(region, base);
    return 0;
}

bool region_open_anonymous(struct region *region)
{
    char *base;
    if (atomic_load_explicit(&region->base, memory_order_acquire))
        return true;
    base = mmap(NULL, REGION_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return false;
    publish(region, base);
    return true;
}

/* For kernels before 5.14. The file may be out of reach by now (chroot, setuid) or be another one. */
static bool allocate_in_file(const struct region *region, size_t offset, size_t length)
{
    int fd = mapped_file_open(region->path, 0);
    struct stat st;
    bool good;
    if (fd < 0)
        return false;
    /* Not posix_fallocate: where the file system cannot, libc writes zeros over what others count meanwhile.
     */
    good = fstat(fd, &st) == 0 && st.st_dev == region->device && st.st_ino == region->inode &&
           fallocate(fd, 0, (off_t)offset, (off_t)length) == 0;
    if (good)
        mapped_file_guard(fd, &st);
    libc.close(fd);
    return good;
}

/*
 * Faulting the pages in through madvise gives an error where touching them would give SIGBUS, and needs no
 * descriptor, which a worker that has given up its rights could not get.
 */
bool region_allocate(const struct region *region, size_t offset, size_t length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), start = offset / page * page;
    char *base = atomic_load_explicit(&region->base, memory_order_acquire);
    if (region->path[0] == '\0')
        return true; /* anonymous memory is swap's, it never ends in SIGBUS */
    if (madvise(base + start, offset + length - start, MADV_POPULATE_WRITE) == 0)
        return true;
    return errno == EINVAL && allocate_in_file(region, offset, length);
}

struct region_block *region_block(struct region *region, size_t index)
{
    struct series *series = &region->series[index];
    struct region_block *block = atomic_load_explicit(&series->block, memory_order_acquire);
    size_t offset = region_block_offset(index);
    if (block)
        return block;
    if (!region_allocate(region, offset, sizeof *block))
        return NULL;
    block = (struct region_block *)(void *)(atomic_load(&region->base) + offset);
    atomic_store_explicit(&series->block, block, memory_order_release);
    return block;
}
