/* See family.h. */
#include "conn/family/family.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"
#include "conn/ownfd.h"
#include "conn/family/shared.h"

_Static_assert(sizeof(struct family) <= FAMILY_CHUNK, "chunk 0 is its own");

#define SEGMENT ((uint64_t)16 * FAMILY_CHUNK)
#define MOST    ((uint64_t)1024 * SEGMENT) /* sparse: what is not used costs nothing */
#define SEALS   (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static const char magic[8] = "meshfam";

struct family *family;
static int fd = -1;
static uint64_t size; /* of the file, or of the one anonymous mapping */
static uint8_t *_Atomic segments[MOST / SEGMENT];
static struct lock lock;

/* Whoever maps it must mean the same by every byte. */
static uint32_t layout(void)
{
    return (uint32_t)(sizeof(struct family) * 31 + sizeof(struct shared)) * 31 + SHARED_LAYOUT;
}

/* Aligned to a chunk, so that a piece finds its chunk by masking. */
static uint8_t *map(int from, uint64_t offset, size_t n)
{
    const int anonymous = from < 0 ? MAP_ANONYMOUS : 0;
    uint8_t *at = mmap(NULL, n + FAMILY_CHUNK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint8_t *aligned, *mapped;
    if (at == MAP_FAILED)
        return NULL;
    aligned = (uint8_t *)(((uintptr_t)at + FAMILY_CHUNK - 1) & ~(uintptr_t)(FAMILY_CHUNK - 1));
    mapped = mmap(aligned, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE | anonymous,
                  from, (off_t)offset);
    if (aligned > at)
        munmap(at, (size_t)(aligned - at));
    munmap(aligned + n, (size_t)(at + FAMILY_CHUNK - aligned));
    if (mapped == MAP_FAILED) {
        munmap(aligned, n);
        return NULL;
    }
    madvise(mapped, n, MADV_DONTDUMP); /* keys do not belong in core files */
    return mapped;
}

/* RLIMIT_FSIZE counts for memfds too, and going beyond it is a signal. */
static uint64_t allowed_size(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur >= MOST)
        return MOST;
    return limit.rlim_cur / SEGMENT * SEGMENT;
}

static int make_file(void)
{
    int made = (int)libc.syscall(SYS_memfd_create, (long)"meshshim-family", MFD_CLOEXEC | MFD_ALLOW_SEALING,
                                 0, 0, 0, 0);
    if (made >= 0 && (ftruncate(made, (off_t)size) != 0 || libc.fcntl(made, F_ADD_SEALS, SEALS) != 0)) {
        int error = -errno;
        libc.close(made);
        return error;
    }
    return made < 0 ? -errno : made;
}

/* Not those that may be different at the next try: memory without a file does not go through exec. */
static bool is_forbidden(int error)
{
    enum { SANDBOX = 8 };
    struct rlimit limit;
    if (error == EMFILE) /* numbers come free again, unless the program has left itself none */
        return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < SANDBOX;
    return error == ENOSYS || error == EPERM || error == EACCES || error == EINVAL;
}

static bool found(void)
{
    struct family *fresh;
    size = allowed_size();
    fd = size < SEGMENT ? -EPERM : ownfd_make(make_file);
    if (fd < 0 && !is_forbidden(-fd)) {
        fd = -1;
        return false;
    }
    if (fd < 0) {
        fd = -1;
        size = SEGMENT * 4; /* all of it now: what is mapped after a fork would be another memory */
    }
    fresh = (void *)map(fd, 0, fd < 0 ? (size_t)size : (size_t)SEGMENT);
    if (!fresh) {
        if (fd >= 0)
            ownfd_drop(fd);
        fd = -1;
        return false;
    }
    memcpy(fresh->magic, magic, sizeof magic);
    fresh->layout = layout();
    fresh->chunks = 1;
    for (uint64_t at = 0; at < (fd < 0 ? size : SEGMENT); at += SEGMENT)
        atomic_store(&segments[at / SEGMENT], (uint8_t *)fresh + at);
    __atomic_store_n(&family, fresh, __ATOMIC_RELEASE);
    return true;
}

bool family_begin(void)
{
    bool done;
    if (__atomic_load_n(&family, __ATOMIC_ACQUIRE))
        return true;
    if (lock_take(&lock) == LOCK_MINE)
        return false;
    done = family || found();
    lock_release(&lock);
    return done;
}

bool family_join(int inherited)
{
    struct stat st;
    const struct family *theirs;
    int seals = libc.fcntl(inherited, F_GET_SEALS, 0);
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(inherited, &st) != 0 || st.st_uid != geteuid() ||
        st.st_size < (off_t)SEGMENT || (uint64_t)st.st_size > MOST || (uint64_t)st.st_size % SEGMENT)
        return false;
    theirs = (void *)map(inherited, 0, SEGMENT);
    if (!theirs)
        return false;
    if (memcmp(theirs->magic, magic, sizeof magic) != 0 || theirs->layout != layout()) {
        munmap((void *)(uintptr_t)theirs, SEGMENT);
        return false;
    }
    /* Not moved: closing one of two descriptors of it would drop the lock by which the others see that we live. */
    if (!ownfd_adopt(inherited)) {
        munmap((void *)(uintptr_t)theirs, SEGMENT);
        return false;
    }
    fd = inherited;
    size = (uint64_t)st.st_size;
    atomic_store(&segments[0], (uint8_t *)(uintptr_t)theirs);
    family = (struct family *)(uintptr_t)theirs;
    return true;
}

void family_part(void)
{
    for (size_t i = 0; i < MOST / SEGMENT; i++) {
        uint8_t *at = atomic_exchange(&segments[i], NULL);
        if (at)
            munmap(at, SEGMENT);
    }
    if (fd >= 0)
        ownfd_drop(fd);
    fd = -1;
    family = NULL;
}

int family_fd(void)
{
    return fd;
}

void *family_at(uint64_t offset)
{
    size_t segment = (size_t)(offset / SEGMENT);
    uint8_t *at, *none = NULL;
    if (offset >= size)
        return NULL;
    at = atomic_load_explicit(&segments[segment], memory_order_acquire);
    if (__builtin_expect(!at, 0)) {
        at = fd < 0 ? NULL : map(fd, segment * SEGMENT, SEGMENT);
        if (!at)
            return NULL;
        if (!atomic_compare_exchange_strong(&segments[segment], &none, at)) {
            munmap(at, SEGMENT);
            at = none; /* another thread was quicker */
        }
    }
    return at + offset % SEGMENT;
}

uint32_t family_chunks(void)
{
    return (uint32_t)(size / FAMILY_CHUNK);
}

void family_after_fork(void)
{
    lock = (struct lock){ 0 };
}
