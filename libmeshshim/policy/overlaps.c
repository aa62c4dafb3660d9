/*
 * See overlaps.h. Prefixes are found by their bits: each host is cut to every length of a prefix that there is and looked up, so the
 * work grows with the number of hosts, not with its square.
 */
#include "policy/overlaps.h"

#include "base/banned.h"
#include "policy/array.h"
#include "policy/snapshot_parts.h"
#include "policy/table.h"

/* A prefix that a service claims; those with the same bits are chained. */
struct claim {
    uint32_t service, host;
    uint32_t next; /* index + 1, 0: the last */
};

struct listener {
    const struct snapshot *snapshot;
    overlap_told *tell;
    void *context;
    struct table prefixes; /* family, length and bits, to the first of the claims */
    struct claim *claims;
    size_t count;
    bool has4[33], has6[129]; /* is there a prefix of that length? */
};

struct around {
    uint32_t *claims;
    size_t count;
};

static const struct host *host_of(const struct listener *listener, const struct claim *claim)
{
    return &listener->snapshot->services[claim->service].hosts.items[claim->host];
}

static bool is_prefix(const struct host *host)
{
    return !host->name && host->address.bits < address_width(&host->address);
}

static bool *lengths_of(struct listener *listener, const struct address *address)
{
    return address->family == 4 ? listener->has4 : listener->has6;
}

static void add_claim(struct listener *listener, uint32_t service, uint32_t host)
{
    const struct address *address = &listener->snapshot->services[service].hosts.items[host].address;
    struct claim *more = array_more(listener->claims, listener->count, sizeof *more);
    uint32_t first = 0, fresh = (uint32_t)listener->count;
    enum table_put put;

    if (!more)
        return;
    listener->claims = more;
    put = table_put(&listener->prefixes, address, sizeof *address, fresh, &first);
    if (put == TABLE_NO_MEMORY)
        return;
    more[fresh] = (struct claim){ service, host, 0 };
    if (put == TABLE_PRESENT) { /* behind the first */
        more[fresh].next = more[first].next;
        more[first].next = fresh + 1;
    }
    listener->count++;
    lengths_of(listener, address)[address->bits] = true;
}

static void tell_one(const struct listener *listener, const struct service_record *inner,
                     const struct host *host, const struct claim *claim)
{
    struct buf small = BUF_INIT, large = BUF_INIT;
    struct overlap overlap = { inner->service.name, listener->snapshot->services[claim->service].service.name,
                               NULL, NULL, host->line };

    host_write(host, &small);
    host_write(host_of(listener, claim), &large);
    overlap.inner = buf_text(&small);
    overlap.outer = buf_text(&large);
    listener->tell(listener->context, &overlap);
    buf_free(&small);
    buf_free(&large);
}

static bool share_a_port(const struct service *a, const struct service *b)
{
    return a->port == 0 || b->port == 0 || a->port == b->port;
}

/* Once a service, with the first of its hosts that lies around. */
static void keep(const struct listener *listener, struct around *around, uint32_t index)
{
    const struct claim *claim = &listener->claims[index];
    uint32_t *more;
    for (size_t i = 0; i < around->count; i++) {
        const struct claim *other = &listener->claims[around->claims[i]];
        if (other->service != claim->service)
            continue;
        if (claim->host < other->host)
            around->claims[i] = index;
        return;
    }
    more = array_more(around->claims, around->count, sizeof *more);
    if (!more)
        return;
    around->claims = more;
    around->claims[around->count++] = index;
}

static void look_at_length(const struct listener *listener, uint32_t service, const struct host *host,
                           uint8_t bits, struct around *around)
{
    const struct service_record *records = listener->snapshot->services;
    struct address prefix = address_prefix(&host->address, bits);
    uint32_t at;
    if (!table_get(&listener->prefixes, &prefix, sizeof prefix, &at))
        return;
    for (at++; at; at = listener->claims[at - 1].next) {
        uint32_t other = listener->claims[at - 1].service;
        if (other != service && share_a_port(&records[service].service, &records[other].service))
            keep(listener, around, at - 1);
    }
}

/* Claims are numbered in the file's order. */
static int by_number(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void look_around(struct listener *listener, uint32_t service, const struct host *host)
{
    const bool *lengths = lengths_of(listener, &host->address);
    struct around around = { NULL, 0 };
    for (unsigned bits = 0; bits < host->address.bits; bits++)
        if (lengths[bits])
            look_at_length(listener, service, host, (uint8_t)bits, &around);
    if (around.count)
        qsort(around.claims, around.count, sizeof *around.claims, by_number);
    for (size_t i = 0; i < around.count; i++)
        tell_one(listener, &listener->snapshot->services[service], host, &listener->claims[around.claims[i]]);
    free(around.claims);
}

void snapshot_each_overlap(const struct snapshot *snapshot, overlap_told *tell, void *context)
{
    struct listener listener = { .snapshot = snapshot, .tell = tell, .context = context };
    for (uint32_t i = 0; i < snapshot->service_count; i++)
        for (uint32_t h = 0; h < snapshot->services[i].hosts.count; h++)
            if (is_prefix(&snapshot->services[i].hosts.items[h]))
                add_claim(&listener, i, h);
    for (uint32_t i = 0; i < snapshot->service_count; i++)
        for (uint32_t h = 0; h < snapshot->services[i].hosts.count; h++)
            if (!snapshot->services[i].hosts.items[h].name)
                look_around(&listener, i, &snapshot->services[i].hosts.items[h]);
    table_free(&listener.prefixes);
    free(listener.claims);
}
