/* See snapshot.h and snapshot_parts.h. */
#include "policy/snapshot.h"

#include "base/banned.h"
#include "policy/pem.h"
#include "policy/snapshot_parts.h"

/* --- parts --- */

void host_list_clear(struct host_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].name);
    free(list->items);
    *list = (struct host_list){ NULL, 0 };
}

void host_write(const struct host *host, struct buf *out)
{
    if (host->name)
        buf_puts(out, host->name);
    else
        address_write(&host->address, out);
}

void service_clear_endpoints(struct service *service)
{
    for (size_t i = 0; i < service->endpoint_count; i++)
        free(service->endpoints[i].text);
    free(service->endpoints);
    service->endpoints = NULL;
    service->endpoint_count = 0;
}

static void clear_record(struct service_record *record)
{
    free(record->service.name);
    identity_list_clear(&record->service.identity);
    service_clear_endpoints(&record->service);
    host_list_clear(&record->hosts);
}

static void clear_workload(struct workload *workload)
{
    free(workload->name);
    free(workload->namespace_);
    free(workload->trust_domain);
    free(workload->spiffe_id);
    free(workload->runtime_dir);
    pem_clear(&workload->certificate);
    pem_clear(&workload->private_key);
    pem_clear(&workload->trust_bundle);
}

/* --- the whole --- */

struct snapshot *snapshot_new(const char *path)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (!snapshot)
        return NULL;
    snapshot->references = 1;
    snapshot->path = strdup(path);
    if (snapshot->path)
        return snapshot;
    free(snapshot);
    return NULL;
}

static void snapshot_free(struct snapshot *snapshot)
{
    clear_workload(&snapshot->workload);
    identity_list_clear(&snapshot->inbound.allow);
    for (size_t i = 0; i < snapshot->port_count; i++)
        identity_list_clear(&snapshot->ports[i].allow);
    for (size_t i = 0; i < snapshot->service_count; i++)
        clear_record(&snapshot->services[i]);
    match_clear(&snapshot->match);
    free(snapshot->ports);
    free(snapshot->services);
    free(snapshot->path);
    free(snapshot);
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

void snapshot_unref(struct snapshot *snapshot)
{
    if (snapshot && atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) == 1)
        snapshot_free(snapshot);
}

static const char *keep_pair(struct workload *fresh, const struct workload *last)
{
    struct pem_file *certificate = &fresh->certificate, *key = &fresh->private_key;
    const char *lost = pem_is_lost(key, &last->private_key)           ? key->path
                       : pem_is_lost(certificate, &last->certificate) ? certificate->path
                                                                      : NULL;
    if (!lost || !pem_take_text(certificate, &last->certificate, false) ||
        !pem_take_text(key, &last->private_key, true))
        return NULL;
    return lost;
}

const char *snapshot_keep_lost(struct snapshot *fresh, const struct snapshot *last)
{
    struct workload *workload = &fresh->workload;
    struct pem_file *bundle = &workload->trust_bundle;
    const char *lost = keep_pair(workload, &last->workload);
    if (pem_is_lost(bundle, &last->workload.trust_bundle) &&
        pem_take_text(bundle, &last->workload.trust_bundle, false))
        lost = bundle->path;
    return lost;
}

/* --- questions --- */

const struct workload *snapshot_workload(const struct snapshot *snapshot)
{
    return &snapshot->workload;
}

const char *snapshot_path(const struct snapshot *snapshot)
{
    return snapshot->path;
}

const struct inbound_policy *snapshot_inbound(const struct snapshot *snapshot, uint16_t port)
{
    size_t low = 0, high = snapshot->port_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (snapshot->ports[middle].port == port)
            return &snapshot->ports[middle];
        if (snapshot->ports[middle].port < port)
            low = middle + 1;
        else
            high = middle;
    }
    return &snapshot->inbound;
}

const struct service *snapshot_match(const struct snapshot *snapshot, const struct sockaddr *address,
                                     socklen_t length, const char *name)
{
    struct address number;
    uint16_t port;
    uint32_t found;

    if (!address || !address_from_socket(address, length, &number, &port))
        return NULL;
    found = match_find(&snapshot->match, &number, port, name);
    return found == MATCH_NONE ? NULL : &snapshot->services[found].service;
}

const struct service *snapshot_match_name(const struct snapshot *snapshot, const char *name)
{
    uint32_t found = name ? match_find_name(&snapshot->match, name) : MATCH_NONE;
    return found == MATCH_NONE ? NULL : &snapshot->services[found].service;
}

size_t snapshot_service_count(const struct snapshot *snapshot)
{
    return snapshot->service_count;
}

const struct service *snapshot_service(const struct snapshot *snapshot, size_t index)
{
    return &snapshot->services[index].service;
}

size_t snapshot_inbound_count(const struct snapshot *snapshot)
{
    return snapshot->port_count;
}

bool snapshot_resumes(const struct snapshot *snapshot)
{
    bool any = snapshot->inbound.session_resumption != RESUMPTION_NO;
    for (size_t i = 0; i < snapshot->port_count; i++)
        any |= snapshot->ports[i].session_resumption != RESUMPTION_NO;
    for (size_t i = 0; i < snapshot_service_count(snapshot); i++)
        any |= snapshot_service(snapshot, i)->session_resumption != RESUMPTION_NO;
    return any;
}

const struct inbound_policy *snapshot_inbound_at(const struct snapshot *snapshot, size_t index)
{
    return &snapshot->ports[index];
}
