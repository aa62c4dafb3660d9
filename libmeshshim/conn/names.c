/*
 * See names.h. A program may look up all that it will ever dial when it starts, so answers are kept: an address that lost its name would
 * be dialled without protection. Only where there are more of them than any program needs, the oldest goes.
 */
#include "conn/names.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "base/banned.h"
#include "base/lock.h"

enum { FEWEST = 256, MOST = 1 << 16, WAYS = 4 };

struct answer {
    uint8_t address[16]; /* IPv4 as mapped */
    uint32_t age;        /* 0: free */
    char *name;
};

static struct answer *answers; /* `places` of them, in sets of WAYS */
static uint32_t places;        /* a power of two, or 0 */
static struct lock lock;
static uint32_t now;

static bool address_bytes(const struct sockaddr *address, uint8_t out[16])
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    if (address->sa_family == AF_INET) {
        memcpy(out, mapped, 12);
        memcpy(out + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
        return true;
    }
    return false;
}

static struct answer *ways_of(const uint8_t bytes[16])
{
    uint32_t hash = 2166136261u;
    for (int i = 0; i < 16; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    hash ^= hash >> 15;
    return &answers[hash % (places / WAYS) * WAYS];
}

static struct answer *find(const uint8_t bytes[16])
{
    struct answer *ways = ways_of(bytes);
    for (int i = 0; i < WAYS; i++)
        if (ways[i].age && memcmp(ways[i].address, bytes, 16) == 0)
            return &ways[i];
    return NULL;
}

/* A free one, or else the oldest. */
static struct answer *oldest(const uint8_t bytes[16])
{
    struct answer *ways = ways_of(bytes), *victim = ways;
    for (int i = 1; i < WAYS; i++)
        if (ways[i].age < victim->age)
            victim = &ways[i];
    return victim;
}

/* Twice as many. What shared a set shares one of two afterwards, so all find a place. */
static bool grow(void)
{
    struct answer *before = answers;
    uint32_t count = places;
    uint32_t more = count ? 2 * count : FEWEST;
    struct answer *fresh = more <= MOST ? calloc(more, sizeof *fresh) : NULL;
    if (!fresh)
        return false;
    answers = fresh;
    places = more;
    for (uint32_t i = 0; i < count; i++)
        if (before[i].age)
            *oldest(before[i].address) = before[i];
    free(before);
    return true;
}

static struct answer *place_for(const uint8_t bytes[16])
{
    struct answer *place = find(bytes);
    if (place)
        return place;
    while (oldest(bytes)->age && grow())
        continue;
    place = oldest(bytes);
    place->age = 0; /* a child that is forked now sees nothing half done */
    memcpy(place->address, bytes, sizeof place->address);
    return place;
}

static void remember(const char *name, const uint8_t bytes[16])
{
    char *copy = strdup(name), *before;
    struct answer *place;
    if (!copy)
        return;
    place = place_for(bytes);
    before = place->name;
    place->name = copy;
    place->age = ++now;
    free(before);
}

void names_remember(const char *name, const struct addrinfo *list)
{
    if (lock_take(&lock) == LOCK_MINE)
        return;
    for (; list && (answers || grow()); list = list->ai_next) {
        uint8_t bytes[16];
        if (list->ai_addr && address_bytes(list->ai_addr, bytes))
            remember(name, bytes);
    }
    lock_release(&lock);
}

bool names_of(const struct sockaddr *address, char *name, size_t room)
{
    uint8_t bytes[16];
    struct answer *place = NULL;
    if (!answers || !address_bytes(address, bytes) || lock_take(&lock) == LOCK_MINE)
        return false;
    place = find(bytes);
    if (place)
        snprintf(name, room, "%s", place->name);
    lock_release(&lock);
    return place != NULL;
}

void names_after_fork(void)
{
    lock = (struct lock){ 0 };
}
