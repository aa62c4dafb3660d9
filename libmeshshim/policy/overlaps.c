/* See overlaps.h. */
#include "policy/overlaps.h"

#include "base/banned.h"
#include "policy/snapshot_parts.h"

struct listener {
    overlap_told *tell;
    void *context;
};

static bool lies_inside(const struct address *inner, const struct address *outer)
{
    struct address cut;
    if (inner->family != outer->family || inner->bits <= outer->bits)
        return false;
    cut = address_prefix(inner, outer->bits);
    return memcmp(cut.bytes, outer->bytes, sizeof cut.bytes) == 0;
}

static const struct host *host_around(const struct host *inner, const struct host_list *hosts)
{
    for (size_t i = 0; i < hosts->count; i++)
        if (!hosts->items[i].name && lies_inside(&inner->address, &hosts->items[i].address))
            return &hosts->items[i];
    return NULL;
}

static void tell_one(const struct listener *listener, const struct service_record *inner,
                     const struct host *host, const struct service_record *outer, const struct host *around)
{
    struct buf small = BUF_INIT, large = BUF_INIT;
    struct overlap overlap = { inner->service.name, outer->service.name, NULL, NULL, host->line };

    host_write(host, &small);
    host_write(around, &large);
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

static void look_around(const struct snapshot *snapshot, const struct service_record *record,
                        const struct host *host, const struct listener *listener)
{
    for (size_t i = 0; i < snapshot->service_count; i++) {
        const struct service_record *other = &snapshot->services[i];
        const struct host *around;
        if (other == record || !share_a_port(&record->service, &other->service))
            continue;
        around = host_around(host, &other->hosts);
        if (around)
            tell_one(listener, record, host, other, around);
    }
}

void snapshot_each_overlap(const struct snapshot *snapshot, overlap_told *tell, void *context)
{
    struct listener listener = { tell, context };
    for (size_t i = 0; i < snapshot->service_count; i++) {
        const struct service_record *record = &snapshot->services[i];
        for (size_t h = 0; h < record->hosts.count; h++)
            if (!record->hosts.items[h].name)
                look_around(snapshot, record, &record->hosts.items[h], &listener);
    }
}
