/* What the data path calls. See stats.h; the memory is region.c's, the reading reader.c's. */
#include "stats/stats.h"

#include <errno.h>

#include "base/banned.h"
#include "base/log.h"
#include "stats/active.h"
#include "stats/regions.h"
#include "stats/rundir.h"

const char *const stats_failure_names[FAILURE_COUNT] = {
#define FAILURE(id, name) [id] = name,
#include "stats/stats.def"
};

const char *const stats_latency_names[LATENCY_COUNT] = {
#define LATENCY(id, name, metric, help) [id] = name,
#include "stats/stats.def"
};

const char *const stats_layer_names[STATS_LAYERS] = {
    [STATS_LAYER_USER] = "user", [STATS_LAYER_KERNEL] = "kernel", [STATS_LAYER_MIXED] = "mixed"
};

const char *const stats_passed_names[STATS_PASSED] = {
    [STATS_PASSED_PLAIN] = "plain_text", [STATS_PASSED_TLS] = "own_tls", [STATS_PASSED_NOTHING] = "nothing"
};

static struct region file_region, anonymous_region;
static char own_workload[256];

/* Where not even anonymous memory can be had: counted, but seen by nobody. Untouched, it costs nothing. */
static struct region_block last_resort[REGION_OVERFLOW];
static struct series last_resort_series[REGION_OVERFLOW];

static void copy_label(char *to, size_t room, const char *from)
{
    memset(to, 0, room);
    if (from)
        memcpy(to, from, strnlen(from, room - 1));
}

static const char *open_problem(int error)
{
    if (error == EPERM)
        return "it belongs to somebody else, or others may write to it: remove it, or choose another "
               "runtime_dir";
    if (error == ENOSPC)
        return "the disk is full";
    return strerror(error);
}

int stats_open(const char *runtime_dir, const char *workload_id)
{
    static _Atomic bool said;
    int saved = errno, error = rundir_prepare(runtime_dir);
    if (!error) {
        if (!own_workload[0])
            copy_label(own_workload, sizeof own_workload, workload_id);
        error = region_open(&file_region, runtime_dir);
    }
    if (error && !atomic_exchange(&said, true))
        log_warn("statistics cannot be shared through %s: %s; this process counts for itself",
                 runtime_dir ? runtime_dir : "the runtime directory", open_problem(error));
    errno = saved;
    return error;
}

struct region *regions_file(void)
{
    return atomic_load_explicit(&file_region.base, memory_order_acquire) ? &file_region : NULL;
}

struct region *regions_anonymous(void)
{
    return atomic_load_explicit(&anonymous_region.base, memory_order_acquire) ? &anonymous_region : NULL;
}

static struct region *region_to_count_in(void)
{
    struct region *region = regions_file();
    if (region)
        return region;
    return region_open_anonymous(&anonymous_region) ? &anonymous_region : NULL;
}

/* FNV-1a over the labels with their padding, which copy_label made zero. */
static uint64_t hash_of(const struct series_labels *labels)
{
    const unsigned char *bytes = (const unsigned char *)labels;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < sizeof *labels; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash ? hash : 1;
}

/*
 * Is the block this series'? One that nobody has labelled yet (its maker is at it, or died, or the disk was
 * full) takes these labels: they have the same hash, so everybody writes the same.
 */
static bool block_is(struct region_block *block, const struct series_labels *labels)
{
    if (atomic_load_explicit(&block->ready, memory_order_acquire) != 1) {
        memcpy(&block->labels, labels, sizeof *labels);
        atomic_store_explicit(&block->ready, 1, memory_order_release);
        return true;
    }
    return memcmp(&block->labels, labels, sizeof *labels) == 0;
}

/* Slots are never freed: a free one where the series would stand means that it is not there. */
static struct series *find_or_make(struct region *region, const struct series_labels *labels)
{
    struct region_control *control = region_control(atomic_load(&region->base));
    uint64_t hash = hash_of(labels);
    for (size_t n = 0; n < REGION_SERIES - REGION_OVERFLOW; n++) {
        size_t i = (size_t)((hash + n) % (REGION_SERIES - REGION_OVERFLOW));
        uint64_t seen = atomic_load_explicit(&control->hash[i], memory_order_acquire);
        struct region_block *block;
        if (seen == 0 && atomic_compare_exchange_strong(&control->hash[i], &seen, hash))
            seen = hash;
        if (seen != hash)
            continue;
        block = region_block(region, i);
        if (!block)
            return NULL;
        if (block_is(block, labels))
            return &region->series[i];
    }
    return NULL;
}

static size_t overflow_of(const struct series_labels *labels)
{
    return (size_t)labels->direction * 2 + labels->security;
}

static struct series *overflow_series(struct region *region, const struct series_labels *of)
{
    size_t index = REGION_SERIES - REGION_OVERFLOW + overflow_of(of);
    struct region_block *block = region_block(region, index);
    struct series_labels labels = { .direction = of->direction, .security = of->security };
    if (!block)
        return NULL;
    copy_label(labels.service, sizeof labels.service, "other");
    atomic_store(&region_control(atomic_load(&region->base))->hash[index], 1);
    (void)block_is(block, &labels);
    return &region->series[index];
}

static struct series *last_resort_of(const struct series_labels *labels)
{
    struct series *series = &last_resort_series[overflow_of(labels)];
    atomic_store(&series->block, &last_resort[overflow_of(labels)]);
    return series;
}

/* The file may have no room for one more where memory has. */
static struct series *find_anywhere(const struct series_labels *labels)
{
    struct region *region = region_to_count_in();
    struct series *series = region ? find_or_make(region, labels) : NULL;
    if (!series && region)
        series = overflow_series(region, labels);
    if (!series && region != &anonymous_region && region_open_anonymous(&anonymous_region))
        series = find_or_make(&anonymous_region, labels);
    return series ? series : last_resort_of(labels);
}

struct series *stats_series(enum stats_direction direction, const char *service, const char *peer,
                            enum stats_security security)
{
    struct series_labels labels = { .direction = direction == STATS_INBOUND,
                                    .security = security == STATS_MUTUAL_TLS };
    struct series *series;
    int saved = errno;
    copy_label(labels.workload, sizeof labels.workload, own_workload);
    copy_label(labels.service, sizeof labels.service, service);
    copy_label(labels.peer, sizeof labels.peer, peer);
    series = find_anywhere(&labels);
    errno = saved;
    return series;
}

struct counters *stats_counters(struct series *series)
{
    return &atomic_load_explicit(&series->block, memory_order_relaxed)->counters;
}

/* NULL: one of last resort, whose connections nobody sees anyway. */
static struct region *region_of(const struct series *series)
{
    if (series >= file_region.series && series < file_region.series + REGION_SERIES)
        return &file_region;
    if (series >= anonymous_region.series && series < anonymous_region.series + REGION_SERIES)
        return &anonymous_region;
    return NULL;
}

void stats_connection_opened(struct series *series)
{
    struct region *region = region_of(series);
    int saved = errno;
    atomic_fetch_add_explicit(&stats_counters(series)->opened, 1, memory_order_relaxed);
    if (region)
        active_add(region, (size_t)(series - region->series));
    errno = saved;
}

void stats_connection_closed(struct series *series)
{
    struct region *region = region_of(series);
    int saved = errno;
    atomic_fetch_add_explicit(&stats_counters(series)->closed, 1, memory_order_relaxed);
    if (region)
        active_remove(region, (size_t)(series - region->series));
    errno = saved;
}

void stats_after_fork(void)
{
    active_after_fork(&file_region);
    active_after_fork(&anonymous_region);
}

void stats_prepare(void)
{
    active_prepare(&file_region);
    active_prepare(&anonymous_region);
}

void stats_end(void)
{
    active_end(&file_region);
    active_end(&anonymous_region);
}
