/* See blocks.h. */
#include "base/blocks.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/banned.h"
#include "base/lock.h"

enum { AT_ONCE = 64, SEGMENTS = 256, WARM = 8 };

/* Blocks of one size. */
struct class
{
    size_t size;
    struct lock lock;
    _Atomic unsigned segments;
    uint8_t *segment[SEGMENTS]; /* AT_ONCE blocks each; never unmapped */
    uint64_t cold[SEGMENTS];    /* a bit for each of them that is free and has no memory */
    void *warm[WARM];           /* free and wiped, with the memory of whoever had it */
    unsigned warm_count;
};

/* For the parts of an SSL object, and for its buffers. */
static struct class classes[] = { { .size = 8 * 1024 }, { .size = 24 * 1024 } };
enum { CLASSES = sizeof classes / sizeof classes[0] };

static bool map_segment(struct class *class)
{
    unsigned i = atomic_load_explicit(&class->segments, memory_order_relaxed);
    size_t size = class->size * AT_ONCE;
    void *at = i < SEGMENTS ? mmap(NULL, size, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                            : MAP_FAILED;
    if (at == MAP_FAILED)
        return false;
    madvise(at, size, MADV_DONTDUMP); /* there are keys in it */
    class->segment[i] = at;
    class->cold[i] = UINT64_MAX;
    atomic_store_explicit(&class->segments, i + 1, memory_order_release);
    return true;
}

static void *take_cold(struct class *class)
{
    unsigned n = atomic_load_explicit(&class->segments, memory_order_relaxed), i = 0;
    int bit;
    while (i < n && class->cold[i] == 0)
        i++;
    if (i == n && !map_segment(class))
        return NULL;
    bit = __builtin_ctzll(class->cold[i]);
    class->cold[i] &= class->cold[i] - 1;
    return class->segment[i] + (size_t)bit * class->size;
}

void *blocks_take(size_t size)
{
    struct class *class = classes;
    void *block;
    while (class < classes + CLASSES && class->size < size)
        class ++;
    if (size < BLOCKS_LEAST || class == classes + CLASSES || lock_take(&class->lock) == LOCK_MINE)
        return NULL;
    block = class->warm_count ? class->warm[--class->warm_count] : take_cold(class);
    lock_release(&class->lock);
    return block;
}

/* Where `block` lies: its class, and which segment of that. NULL: nowhere. */
static struct class *find(const void *block, unsigned *segment)
{
    for (struct class *class = classes; class < classes + CLASSES; class ++) {
        unsigned n = atomic_load_explicit(&class->segments, memory_order_acquire);
        for (*segment = 0; *segment < n; ++*segment)
            if ((uintptr_t)block - (uintptr_t) class->segment[*segment] < class->size * AT_ONCE)
                return class;
    }
    return NULL;
}

size_t blocks_size(const void *block)
{
    unsigned segment;
    const struct class *class = find(block, &segment);
    return class ? class->size : 0;
}

void blocks_give(void *block)
{
    unsigned segment;
    struct class *class = find(block, &segment);
    bool keeps;
    if (!class || lock_take(&class->lock) == LOCK_MINE)
        return;
    keeps = class->warm_count < WARM;
    if (keeps) {
        explicit_bzero(block, class->size);
        class->warm[class->warm_count++] = block;
    }
    lock_release(&class->lock);
    if (keeps)
        return;
    madvise(block, class->size, MADV_DONTNEED);
    if (lock_take(&class->lock) == LOCK_MINE)
        return;
    class->cold[segment] |= UINT64_C(1)
                            << ((size_t)((uint8_t *)block - class->segment[segment]) / class->size);
    lock_release(&class->lock);
}

void blocks_after_fork(void)
{
    for (size_t i = 0; i < CLASSES; i++)
        classes[i].lock = (struct lock){ 0 };
}
