/* Hosts of a service that lie inside a wider prefix of another: the more specific one wins, which may not be what was meant. */
#ifndef MESHSHIM_OVERLAPS_H
#define MESHSHIM_OVERLAPS_H

#include "policy/snapshot.h"

struct overlap {
    const char *inner_service, *outer_service;
    const char *inner, *outer; /* the hosts as the file has them: "10.1.2.0/24", "10.1.0.0/16" */
    unsigned line;             /* of the inner one */
};

/* What it is handed is gone when it returns. */
typedef void overlap_told(void *context, const struct overlap *overlap);

/* Each host that lies inside another service's, once for each such service; services for different ports take nothing away. */
void snapshot_each_overlap(const struct snapshot *snapshot, overlap_told *tell, void *context);

#endif
