/* Asks an HTTP service for one thing again and again, on connections that are kept, from one thread. */
#ifndef MESHCTL_LOAD_H
#define MESHCTL_LOAD_H

#include "stats/histogram.h"
#include "target.h"

struct load_plan {
    const struct target *target;
    unsigned connections;
    uint64_t duration_ns; /* what happens in a first tenth, in addition, does not count */
    uint64_t rate;        /* requests a second; 0: as many as will go */
};

enum load_end {
    LOAD_DONE,
    LOAD_UNKNOWN_HOST,
    LOAD_NO_CONNECTION, /* connect failed */
    LOAD_CUT,           /* a connection ended before an answer */
    LOAD_NOT_HTTP,
    LOAD_SILENT, /* nothing came for five seconds */
    LOAD_BROKEN, /* this side could not go on */
};

struct load_result {
    enum load_end end;
    char why[128];                         /* the system's word for it, or "" */
    uint64_t answers, errors, connections; /* errors: answers of 400 and above */
    uint64_t elapsed_ns, processor_ns;
    /* From when a request was sent; at a fixed rate from when it was due, so that what a stall delays is in it. */
    struct histogram latency;
};

void load_run(const struct load_plan *plan, struct load_result *result);

#endif
