/* The connections of a run, and the loop that keeps them busy. */
#ifndef DRIVE_LINES_H
#define DRIVE_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "answer.h"
#include "histogram.h"

struct plan {
    uint16_t port;
    unsigned connections;
    bool closes; /* a connection for each request */
    double rate; /* requests a second; 0: as many as will go */
    struct question question;
};

/* Exits, having said why, where a connection fails or an answer is wrong. */
void lines_open(const struct plan *plan);
/* Runs for so long; answers that came are added to `latencies`. */
void lines_run(uint64_t ns, struct histogram *latencies);

#endif
