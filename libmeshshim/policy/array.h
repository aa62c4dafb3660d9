/* A growing array whose room is its count rounded up to a power of two, so it needs no field of its own. */
#ifndef MESHSHIM_ARRAY_H
#define MESHSHIM_ARRAY_H

#include <stddef.h>
#include <stdlib.h>

/* Room for one more than `count` items. Returns the array, perhaps moved, or NULL: no memory, `items` stays
 * valid. */
static inline void *array_more(void *items, size_t count, size_t size)
{
    if (count & (count - 1))
        return items;
    return reallocarray(items, count ? count * 2 : 1, size);
}

#endif
