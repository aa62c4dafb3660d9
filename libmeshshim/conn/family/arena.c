/* See arena.h. */
#include "conn/family/arena.h"

#include <stdint.h>
#include <string.h>

#include "base/banned.h"
#include "base/lock.h"
#include "conn/family/family.h"

enum { CHUNK = FAMILY_CHUNK, SMALLEST_SHIFT = 9, CLASSES = 9, UNIT = 64 }; /* 512 B … 128 KiB */
enum { HEADER = 1 << SMALLEST_SHIFT };

struct chunk {
    struct lock lock;
    uint32_t index;
    uint32_t used;               /* bytes handed out so far, this header included */
    uint32_t free_list[CLASSES]; /* offset of the first free piece, 0: none */
};

static int class_of(size_t size)
{
    int shift = SMALLEST_SHIFT;
    while (((size_t)1 << shift) < size)
        shift++;
    return shift - SMALLEST_SHIFT;
}

static struct chunk *chunk_at(uint32_t index)
{
    return family_at((uint64_t)index * CHUNK);
}

static struct chunk *chunk_of(const void *memory)
{
    return (struct chunk *)((uintptr_t)memory & ~(uintptr_t)(CHUNK - 1));
}

/* Can a piece of that size begin there? */
static bool fits(uint64_t offset, size_t size)
{
    return offset >= HEADER && offset <= CHUNK && size <= CHUNK - offset && offset % UNIT == 0;
}

static void *take_from(struct chunk *chunk, int class)
{
    size_t size = (size_t)1 << (class + SMALLEST_SHIFT);
    uint8_t *base = (uint8_t *)chunk, *piece = NULL;
    uint32_t freed, used;
    if (!chunk || lock_take(&chunk->lock) == LOCK_MINE)
        return NULL;
    freed = ARENA_ONCE(chunk->free_list[class]);
    used = ARENA_ONCE(chunk->used);
    if (fits(freed, size)) {
        piece = base + freed;
        memcpy(&chunk->free_list[class], piece, sizeof(uint32_t));
        memset(piece, 0, sizeof(uint32_t));
    } else if (fits(used, size)) {
        piece = base + used;
        chunk->used = used + (uint32_t)size;
    }
    lock_release(&chunk->lock);
    return piece;
}

/* One more, unless another thread or process has just made one. */
static bool grow(uint32_t seen)
{
    struct chunk *fresh;
    bool done = true;
    if (lock_take(&family->growth) == LOCK_MINE)
        return false;
    if (atomic_load(&family->chunks) == seen) {
        fresh = chunk_at(seen);
        done = fresh != NULL;
        if (fresh) {
            fresh->index = seen;
            fresh->used = HEADER;
            atomic_store(&family->chunks, seen + 1);
        }
    }
    lock_release(&family->growth);
    return done;
}

void *arena_alloc(size_t size)
{
    int class = class_of(size);
    if (class >= CLASSES || !family_begin())
        return NULL;
    for (;;) {
        uint32_t seen = atomic_load(&family->chunks), most = family_chunks();
        if (seen > most)
            seen = most;
        /* Newest first: it is the one with room, unless connections come and go, when any has. */
        for (uint32_t i = seen; i > 1; i--) {
            void *piece = take_from(chunk_at(i - 1), class);
            if (piece)
                return piece;
        }
        if (seen == most || !grow(seen))
            return NULL;
    }
}

void arena_free(void *memory, size_t size)
{
    struct chunk *chunk;
    int class = class_of(size);
    uint32_t offset;
    if (!memory)
        return;
    chunk = chunk_of(memory);
    offset = (uint32_t)((uintptr_t)memory - (uintptr_t)chunk);
    if (class >= CLASSES || !fits(offset, size))
        return;
    explicit_bzero(memory, size);
    if (lock_take(&chunk->lock) == LOCK_MINE)
        return;
    memcpy(memory, &chunk->free_list[class], sizeof(uint32_t));
    chunk->free_list[class] = offset;
    lock_release(&chunk->lock);
}

arena_ref arena_ref_of(const void *memory)
{
    const struct chunk *chunk = chunk_of(memory);
    if (!memory)
        return 0;
    return (arena_ref)(((uint64_t)chunk->index * CHUNK + ((uintptr_t)memory - (uintptr_t)chunk)) / UNIT);
}

void *arena_at(arena_ref ref, size_t size)
{
    uint64_t offset = (uint64_t)ref * UNIT;
    return offset < CHUNK || !fits(offset % CHUNK, size) ? NULL : family_at(offset);
}

void *arena_grant(arena_ref *ref, size_t size)
{
    void *piece = arena_at(ARENA_ONCE(*ref), size);
    if (!piece) {
        piece = arena_alloc(size);
        *ref = arena_ref_of(piece);
    }
    return piece;
}
