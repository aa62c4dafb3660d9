/* See match.h. */
#include "policy/match.h"

#include "base/banned.h"

struct name_key {
    size_t length;
    char bytes[sizeof(uint16_t) + HOST_NAME_MOST + 1];
};

struct prefix_key {
    uint16_t port;
    uint8_t family, bits;
    uint8_t bytes[16];
};

bool host_name_fold(const char *name, char *to)
{
    size_t length = strlen(name);
    if (length > 0 && name[length - 1] == '.')
        length--;
    if (length == 0 || length > HOST_NAME_MOST)
        return false;
    for (size_t i = 0; i < length; i++)
        to[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 'a' - 'A') : name[i];
    to[length] = '\0';
    return true;
}

static bool make_name_key(struct name_key *key, const char *name, uint16_t port)
{
    if (!host_name_fold(name, key->bytes + sizeof port))
        return false;
    memcpy(key->bytes, &port, sizeof port);
    key->length = sizeof port + strlen(key->bytes + sizeof port);
    return true;
}

static struct prefix_key make_prefix_key(const struct address *prefix, uint16_t port)
{
    struct prefix_key key = { .port = port, .family = prefix->family, .bits = prefix->bits };
    memcpy(key.bytes, prefix->bytes, sizeof key.bytes);
    return key;
}

/* Keeps the lengths sorted, longest first, each once. */
static void add_length(uint8_t *lengths, uint8_t *count, uint8_t bits)
{
    uint8_t at = 0;
    while (at < *count && lengths[at] > bits)
        at++;
    if (at < *count && lengths[at] == bits)
        return;
    memmove(lengths + at + 1, lengths + at, *count - at);
    lengths[at] = bits;
    ++*count;
}

enum table_put match_add_name(struct match *match, const char *name, uint16_t port, uint32_t service,
                              uint32_t *other)
{
    struct name_key key = { .length = 0 };
    uint32_t first;
    enum table_put put;

    if (!make_name_key(&key, name, port))
        return TABLE_NO_MEMORY;
    put = table_put(&match->names, key.bytes, key.length, service, other);
    if (put != TABLE_ADDED)
        return put;
    put = table_put(&match->any_port, key.bytes + sizeof port, key.length - sizeof port, service, &first);
    return put == TABLE_NO_MEMORY ? TABLE_NO_MEMORY : TABLE_ADDED;
}

enum table_put match_add_address(struct match *match, const struct address *address, uint16_t port,
                                 uint32_t service, uint32_t *other)
{
    struct prefix_key key = make_prefix_key(address, port);
    enum table_put put = table_put(&match->prefixes, &key, sizeof key, service, other);
    if (put != TABLE_ADDED)
        return put;
    if (address->family == 4)
        add_length(match->lengths4, &match->count4, address->bits);
    else
        add_length(match->lengths6, &match->count6, address->bits);
    return put;
}

static uint32_t find_named(const struct match *match, const char *name, uint16_t port)
{
    struct name_key key = { .length = 0 };
    uint16_t any = 0;
    uint32_t service;

    if (match->names.count == 0 || !make_name_key(&key, name, port))
        return MATCH_NONE;
    if (table_get(&match->names, key.bytes, key.length, &service))
        return service;
    memcpy(key.bytes, &any, sizeof any);
    return table_get(&match->names, key.bytes, key.length, &service) ? service : MATCH_NONE;
}

static uint32_t find_prefix(const struct match *match, const struct address *address, uint16_t port)
{
    const uint8_t *lengths = address->family == 4 ? match->lengths4 : match->lengths6;
    uint8_t count = address->family == 4 ? match->count4 : match->count6;

    for (uint8_t i = 0; i < count; i++) {
        struct address prefix = address_prefix(address, lengths[i]);
        struct prefix_key key = make_prefix_key(&prefix, port);
        uint32_t service;
        if (table_get(&match->prefixes, &key, sizeof key, &service))
            return service;
        key.port = 0;
        if (table_get(&match->prefixes, &key, sizeof key, &service))
            return service;
    }
    return MATCH_NONE;
}

uint32_t match_find(const struct match *match, const struct address *address, uint16_t port, const char *name)
{
    uint32_t service = name ? find_named(match, name, port) : MATCH_NONE;
    return service != MATCH_NONE ? service : find_prefix(match, address, port);
}

uint32_t match_find_name(const struct match *match, const char *name)
{
    struct name_key key = { .length = 0 };
    uint32_t service;
    if (match->names.count == 0 || !make_name_key(&key, name, 0))
        return MATCH_NONE;
    if (table_get(&match->names, key.bytes, key.length, &service))
        return service;
    key.length -= sizeof(uint16_t);
    return table_get(&match->any_port, key.bytes + sizeof(uint16_t), key.length, &service) ? service
                                                                                           : MATCH_NONE;
}

void match_clear(struct match *match)
{
    table_free(&match->names);
    table_free(&match->any_port);
    table_free(&match->prefixes);
}
