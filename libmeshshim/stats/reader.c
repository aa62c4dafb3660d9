/*
 * stats_each: all regions of a directory as rows. Series with the same labels, of several users, become one
 * row: Prometheus refuses a metric that comes twice.
 */
#include <errno.h>

#include "base/banned.h"
#include "stats/source.h"
#include "stats/stats.h"

struct found {
    struct series_labels labels;
    const struct source *source;
    size_t index;
};

struct finds {
    struct found *list;
    size_t count, room;
};

static bool keep(struct finds *finds, const struct found *found)
{
    if (finds->count == finds->room) {
        size_t room = finds->room ? finds->room * 2 : 64;
        struct found *list = realloc(finds->list, room * sizeof *list);
        if (!list)
            return false;
        finds->list = list;
        finds->room = room;
    }
    finds->list[finds->count++] = *found;
    return true;
}

/* The head of a block; false where it says nothing. */
static bool look(const struct source *source, size_t index, struct found *found)
{
    struct {
        uint32_t ready;
        struct series_labels labels;
    } head;
    _Static_assert(offsetof(struct region_block, labels) == 4, "the labels follow the word");
    if (atomic_load(&source->control.hash[index]) == 0 ||
        !source_read(source, region_block_offset(index), &head, sizeof head) || head.ready != 1 ||
        head.labels.direction > STATS_INBOUND || head.labels.security > STATS_MUTUAL_TLS)
        return false;
    found->labels = head.labels;
    found->labels.workload[sizeof head.labels.workload - 1] = '\0';
    found->labels.service[sizeof head.labels.service - 1] = '\0';
    found->labels.peer[sizeof head.labels.peer - 1] = '\0';
    found->source = source;
    found->index = index;
    return true;
}

static bool find_all(const struct sources *sources, struct finds *finds)
{
    struct found found;
    for (size_t s = 0; s < sources->count; s++) {
        for (size_t i = 0; i < REGION_SERIES; i++) {
            if (look(sources->list[s], i, &found) && !keep(finds, &found))
                return false;
        }
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct series_labels *x = &((const struct found *)a)->labels,
                               *y = &((const struct found *)b)->labels;
    int order = (int)y->direction - (int)x->direction; /* inbound first, as the requests come */
    if (!order)
        order = strcmp(x->service, y->service);
    if (!order)
        order = strcmp(x->peer, y->peer);
    if (!order)
        order = strcmp(x->workload, y->workload);
    return order ? order : (int)x->security - (int)y->security;
}

static void begin_row(struct stats_row *row, const struct series_labels *labels)
{
    memset(row, 0, sizeof *row);
    memcpy(row->workload, labels->workload, sizeof row->workload);
    memcpy(row->service, labels->service, sizeof row->service);
    memcpy(row->peer, labels->peer, sizeof row->peer);
    row->direction = (enum stats_direction)labels->direction;
    row->security = (enum stats_security)labels->security;
}

static void add_to_row(struct stats_row *row, const struct found *found, struct counters *scratch)
{
    size_t offset = region_block_offset(found->index) + offsetof(struct region_block, counters);
    if (!source_read(found->source, offset, scratch, sizeof *scratch))
        return;
    row->opened += atomic_load(&scratch->opened);
    row->closed += atomic_load(&scratch->closed) + found->source->left[found->index];
    row->resumed += atomic_load(&scratch->resumed);
    row->active += (uint64_t)found->source->active[found->index];
    for (int i = 0; i < FAILURE_COUNT; i++)
        row->failed[i] += atomic_load(&scratch->failed[i]);
    row->sent += atomic_load(&scratch->sent);
    row->received += atomic_load(&scratch->received);
    for (int i = 0; i < STATS_LAYERS; i++)
        row->layer[i] += atomic_load(&scratch->layer[i]);
    for (int i = 0; i < STATS_PASSED; i++)
        row->passed[i] += atomic_load(&scratch->passed[i]);
    for (int i = 0; i < LATENCY_COUNT; i++)
        histogram_add(&row->latency[i], &scratch->latency[i]);
}

/* A series that was only asked for says nothing. */
static bool is_empty(const struct stats_row *row)
{
    uint64_t all = row->opened | row->sent | row->received;
    for (int i = 0; i < FAILURE_COUNT; i++)
        all |= row->failed[i];
    for (int i = 0; i < LATENCY_COUNT; i++)
        all |= histogram_total(&row->latency[i]);
    return all == 0;
}

struct work {
    struct stats_row row;
    struct counters scratch;
};

static int each_row(const struct finds *finds, void (*each)(const struct stats_row *row, void *context),
                    void *context)
{
    struct work *work = finds->count ? malloc(sizeof *work) : NULL;
    if (finds->count && !work)
        return ENOMEM;
    for (size_t i = 0; i < finds->count;) {
        const struct found *first = &finds->list[i];
        begin_row(&work->row, &first->labels);
        do
            add_to_row(&work->row, &finds->list[i++], &work->scratch);
        while (i < finds->count && compare(first, &finds->list[i]) == 0);
        if (!is_empty(&work->row))
            each(&work->row, context);
    }
    free(work);
    return 0;
}

int stats_each(const char *runtime_dir, void (*each)(const struct stats_row *row, void *context),
               void *context)
{
    struct finds finds = { NULL, 0, 0 };
    struct sources sources;
    int saved = errno, error = sources_open(&sources, runtime_dir);

    if (!error && !find_all(&sources, &finds))
        error = ENOMEM;
    if (!error && finds.count)
        qsort(finds.list, finds.count, sizeof *finds.list, compare);
    if (!error)
        error = each_row(&finds, each, context);
    sources_close(&sources);
    free(finds.list);
    errno = saved;
    return error;
}
