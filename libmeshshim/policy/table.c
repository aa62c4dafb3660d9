/* See table.h. Open addressing, linear probing, at most half full. */
#include "policy/table.h"

#include "base/banned.h"

#define FEWEST_SLOTS 16

/* FNV-1a, then mixed, because its low bits alone are weak and the low bits choose the slot. */
static uint32_t hash_of(const void *key, size_t length)
{
    const unsigned char *byte = key;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3u;
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93u;
    return (uint32_t)(hash >> 32);
}

/* The slot that holds the key, or the free one where it belongs. There is always a free one. */
static struct table_slot *find(const struct table *table, const void *key, size_t length, uint32_t hash)
{
    for (size_t at = hash;; at++) {
        struct table_slot *slot = &table->slots[at & (table->room - 1)];
        if (slot->length == 0)
            return slot;
        if (slot->hash == hash && slot->length == length + 1 &&
            !memcmp(table->keys.data + slot->key, key, length))
            return slot;
    }
}

static bool grow(struct table *table)
{
    size_t room = table->room ? table->room * 2 : FEWEST_SLOTS;
    struct table_slot *slots = calloc(room, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < table->room; i++) {
        size_t at = table->slots[i].hash;
        if (table->slots[i].length == 0)
            continue;
        while (slots[at & (room - 1)].length)
            at++;
        slots[at & (room - 1)] = table->slots[i];
    }
    free(table->slots);
    table->slots = slots;
    table->room = room;
    return true;
}

enum table_put table_put(struct table *table, const void *key, size_t length, uint32_t value,
                         uint32_t *present)
{
    uint32_t hash = hash_of(key, length);
    struct table_slot *slot;
    size_t start = table->keys.length;

    if (table->count * 2 >= table->room && !grow(table))
        return TABLE_NO_MEMORY;
    slot = find(table, key, length, hash);
    if (slot->length) {
        *present = slot->value;
        return TABLE_PRESENT;
    }
    if (start + length > UINT32_MAX / 2)
        return TABLE_NO_MEMORY;
    buf_append(&table->keys, key, length);
    if (table->keys.failed)
        return TABLE_NO_MEMORY;
    *slot = (struct table_slot){ hash, value, (uint32_t)start, (uint32_t)length + 1 };
    table->count++;
    return TABLE_ADDED;
}

bool table_get(const struct table *table, const void *key, size_t length, uint32_t *value)
{
    const struct table_slot *slot;
    if (table->count == 0)
        return false;
    slot = find(table, key, length, hash_of(key, length));
    *value = slot->value;
    return slot->length != 0;
}

void table_free(struct table *table)
{
    free(table->slots);
    buf_free(&table->keys);
    *table = (struct table){ .slots = NULL };
}
