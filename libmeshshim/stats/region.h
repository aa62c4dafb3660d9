/*
 * The memory that counters live in: a file that the processes of one user share, or anonymous memory that a
 * process shares with its children where there is no file. Both have the same layout and are mapped whole,
 * sparsely.
 *
 *   struct region_control    header, one word a series, one word a process            always allocated
 *   struct region_process    how many connections of each series a process has open   allocated when a process claims one
 *   struct region_block      labels and counters of a series, page-aligned            allocated when the series is made
 *
 * There is no lock: slots are claimed by compare-and-swap, so nobody can die holding one. What another
 * process wrote may be rubbish; indices and texts from here are checked before they are used.
 */
#ifndef MESHSHIM_REGION_H
#define MESHSHIM_REGION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "stats/stats.h"

#define REGION_SERIES    1536
#define REGION_OVERFLOW  4 /* the last ones: (direction, security), service "other" */
#define REGION_PROCESSES 1024
#define REGION_PAGE      4096
#define REGION_VERSION   4

struct region_header {
    char magic[8];
    uint32_t version, series, processes, buckets, block_size;
    uint64_t file_size;
};

struct region_control {
    union {
        struct region_header header;
        char page[REGION_PAGE];
    };
    _Atomic uint64_t hash
        [REGION_SERIES]; /* of the labels; 0: free. A series stands at its hash, or behind it where others do */
    _Atomic uint64_t owner[REGION_PROCESSES]; /* see owner.h; 0: free */
};

struct region_process {
    _Alignas(4096) _Atomic int32_t
        active[REGION_SERIES]; /* a client of a thousand services has connections to each */
};

struct series_labels {
    char workload[256], service[128], peer[256];
    uint8_t direction, security;
};

struct region_block {
    _Atomic uint32_t ready; /* 1: the labels are there */
    struct series_labels labels;
    struct counters counters __attribute__((aligned(64)));
};

#define REGION_ROUND(size)    (((size) + REGION_PAGE - 1) / REGION_PAGE * REGION_PAGE)
#define REGION_BLOCK_SIZE     REGION_ROUND(sizeof(struct region_block))
#define REGION_PROCESS_OFFSET REGION_ROUND(sizeof(struct region_control))
#define REGION_BLOCK_OFFSET                                                                                  \
    (REGION_PROCESS_OFFSET + REGION_ROUND(REGION_PROCESSES * sizeof(struct region_process)))
#define REGION_SIZE (REGION_BLOCK_OFFSET + REGION_SERIES * REGION_BLOCK_SIZE)

/* A series as this process knows it; its index is its place in the region's array. */
struct series {
    _Atomic(struct region_block *) block; /* NULL: not yet known to be allocated */
};

struct region {
    _Atomic(char *) base; /* NULL: not mapped */
    char path[512];       /* "": anonymous */
    dev_t device;
    ino_t inode;
    _Atomic uint64_t mine; /* which record is this process's: active.c */
    struct series series[REGION_SERIES];
};

static inline struct region_control *region_control(char *base)
{
    return (struct region_control *)(void *)base;
}

static inline struct region_process *region_process(char *base, size_t slot)
{
    return (struct region_process *)(void *)(base + REGION_PROCESS_OFFSET) + slot;
}

static inline size_t region_block_offset(size_t index)
{
    return REGION_BLOCK_OFFSET + index * REGION_BLOCK_SIZE;
}

/* What the header of a fresh region must be, byte by byte. */
extern const struct region_header region_expected_header;

/*
 * Maps DIRECTORY/stats-UID.shm, made, or replaced where it is another version's. 0 or an errno; then nothing
 * is mapped. A second call with a mapped region does nothing.
 */
int region_open(struct region *region, const char *directory);
/* Maps anonymous memory, shared with later children. False when there is no room. Safe from several threads.
 */
bool region_open_anonymous(struct region *region);
/* Sees to it that a range has memory or disk behind it, so that touching it cannot raise SIGBUS. */
bool region_allocate(const struct region *region, size_t offset, size_t length);
/* The block of a series, allocated; NULL where that cannot be. */
struct region_block *region_block(struct region *region, size_t index);

#endif
