/* See arena.h. */
#include "conn/arena.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/banned.h"
#include "base/lock.h"

enum { CHUNK = 1 << 20, SMALLEST_SHIFT = 9, CLASSES = 9, CHUNKS = 16384 }; /* 512 B … 128 KiB */

struct chunk {
    struct lock lock;
    uint32_t used;               /* bytes handed out so far, this header included */
    uint32_t free_list[CLASSES]; /* offset of the first free piece, 0: none */
};

/* Private to a process, inherited by its children with the mappings themselves. */
static struct chunk *chunks[CHUNKS];
static size_t chunk_count;
static struct lock chunks_lock;

static int class_of(size_t size)
{
    int shift = SMALLEST_SHIFT;
    while (((size_t)1 << shift) < size)
        shift++;
    return shift - SMALLEST_SHIFT;
}

static struct chunk *map_chunk(void)
{
    /* Aligned to its own size, so that a piece finds its chunk by masking. */
    uint8_t *at =
        mmap(NULL, 2 * CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint8_t *aligned;
    if (at == MAP_FAILED)
        return NULL;
    aligned = (uint8_t *)(((uintptr_t)at + CHUNK - 1) & ~(uintptr_t)(CHUNK - 1));
    if (aligned > at)
        munmap(at, (size_t)(aligned - at));
    munmap(aligned + CHUNK, (size_t)(at + CHUNK - aligned));
    madvise(aligned, CHUNK, MADV_DONTDUMP); /* keys do not belong in core files */
    ((struct chunk *)(void *)aligned)->used = 512;
    return (struct chunk *)(void *)aligned;
}

static void *take_from(struct chunk *chunk, int class)
{
    size_t size = (size_t)1 << (class + SMALLEST_SHIFT);
    uint8_t *base = (uint8_t *)chunk, *piece = NULL;
    if (lock_take(&chunk->lock) == LOCK_MINE)
        return NULL;
    if (chunk->free_list[class]) {
        piece = base + chunk->free_list[class];
        memcpy(&chunk->free_list[class], piece, sizeof(uint32_t));
        memset(piece, 0, sizeof(uint32_t));
    } else if (chunk->used + size <= CHUNK) {
        piece = base + chunk->used;
        chunk->used += (uint32_t)size;
    }
    lock_release(&chunk->lock);
    return piece;
}

void *arena_alloc(size_t size)
{
    int class = class_of(size);
    void *piece = NULL;
    if (class >= CLASSES || lock_take(&chunks_lock) == LOCK_MINE)
        return NULL;
    /* Newest first: it is the one with room, unless connections come and go, when any has. */
    for (size_t i = chunk_count; i > 0 && !piece; i--)
        piece = take_from(chunks[i - 1], class);
    if (!piece && chunk_count < CHUNKS) {
        struct chunk *fresh = map_chunk();
        if (fresh) {
            chunks[chunk_count++] = fresh;
            piece = take_from(fresh, class);
        }
    }
    lock_release(&chunks_lock);
    return piece;
}

void arena_free(void *memory, size_t size)
{
    struct chunk *chunk;
    int class = class_of(size);
    uint32_t offset;
    if (!memory)
        return;
    chunk = (struct chunk *)((uintptr_t)memory & ~(uintptr_t)(CHUNK - 1));
    offset = (uint32_t)((uintptr_t)memory - (uintptr_t)chunk);
    explicit_bzero(memory, size);
    if (lock_take(&chunk->lock) == LOCK_MINE)
        return;
    memcpy(memory, &chunk->free_list[class], sizeof(uint32_t));
    chunk->free_list[class] = offset;
    lock_release(&chunk->lock);
}

void arena_after_fork(void)
{
    chunks_lock = (struct lock){ 0 };
}
