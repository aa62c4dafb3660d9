/*
 * A hash table from byte strings to 32-bit numbers, filled once and then only read. It copies its keys.
 * Zero-initialise; table_free gives everything back.
 */
#ifndef MESHSHIM_TABLE_H
#define MESHSHIM_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct table_slot {
    uint32_t hash;
    uint32_t value;
    uint32_t key;    /* where the key begins in keys */
    uint32_t length; /* of the key, plus 1; 0: the slot is free */
};

struct table {
    struct table_slot *slots;
    size_t room; /* a power of two, or 0 */
    size_t count;
    struct buf keys;
};

enum table_put { TABLE_ADDED, TABLE_PRESENT, TABLE_NO_MEMORY };

/* Adds `key`. Where it is there already, it stays as it was and *present is its value. */
enum table_put table_put(struct table *table, const void *key, size_t length, uint32_t value,
                         uint32_t *present);
bool table_get(const struct table *table, const void *key, size_t length, uint32_t *value);
void table_free(struct table *table);

#endif
