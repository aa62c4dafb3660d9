/* Counting in processes of their own, and what the directory then says. */
#ifndef MESHSHIM_TEST_STATS_SEEN_H
#define MESHSHIM_TEST_STATS_SEEN_H

#include <stdlib.h>
#include <string.h>

#include "own_process.h"
#include "stats/region.h"
#include "stats/stats.h"

#define ME   "spiffe://mesh.local/ns/default/sa/web"
#define PEER "spiffe://mesh.local/ns/default/sa/cache"

/* A child of a test: it must end well. */
static inline pid_t child(void (*work)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        work();
        _exit(wrong);
    }
    return pid;
}

static inline void join(pid_t pid)
{
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(status == 0);
}

static inline const char *file_path(void)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/stats-%u.shm", dir, (unsigned)geteuid());
    return path;
}

/* What the directory says of a service, all peers together. */
struct seen {
    const char *service;
    int rows;
    struct stats_row sum;
};

static inline void add_row(const struct stats_row *row, void *context)
{
    struct seen *seen = context;
    if (strcmp(row->service, seen->service) != 0)
        return;
    seen->rows++;
    seen->sum.opened += row->opened;
    seen->sum.closed += row->closed;
    seen->sum.active += row->active;
    seen->sum.sent += row->sent;
    seen->sum.received += row->received;
    seen->sum.failed[FAILURE_IDENTITY] += row->failed[FAILURE_IDENTITY];
    histogram_add(&seen->sum.latency[LATENCY_CONNECT], &row->latency[LATENCY_CONNECT]);
}

static inline const struct stats_row *look(const char *service, int *rows)
{
    static struct seen seen;
    memset(&seen, 0, sizeof seen);
    seen.service = service;
    (void)stats_each(dir, add_row, &seen);
    if (rows)
        *rows = seen.rows;
    return &seen.sum;
}

static inline struct series *cache(void)
{
    return stats_series(STATS_OUTBOUND, "cache", PEER, STATS_MUTUAL_TLS);
}

static inline void count_once(struct series *series)
{
    struct counters *counters = stats_counters(series);
    stats_connection_opened(series);
    atomic_fetch_add(&counters->sent, 10);
    atomic_fetch_add(&counters->received, 20);
    atomic_fetch_add(&counters->failed[FAILURE_IDENTITY], 1);
    histogram_record(&counters->latency[LATENCY_CONNECT], 80000);
    stats_connection_closed(series);
}

static inline void open_and_count(void)
{
    char peer[64];
    CHECK(stats_open(dir, ME) == 0);
    for (int i = 0; i < 1000; i++) {
        count_once(cache());
        snprintf(peer, sizeof peer, "spiffe://mesh.local/ns/default/sa/%d", i % 20);
        count_once(stats_series(STATS_OUTBOUND, "many", peer, STATS_MUTUAL_TLS));
    }
}

static inline void open_one(void)
{
    stats_after_fork();
    stats_connection_opened(cache());
}

#endif
