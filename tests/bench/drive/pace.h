/*
 * When requests are due. At a fixed rate, they are due at equal distances whatever the answers do, one connection after the
 * other, and a latency counts from then on, not from when a request could at last be sent: what a stall delays is in the
 * figures (no coordinated omission). Without a rate, a request is due when the answer before it has come.
 */
#ifndef DRIVE_PACE_H
#define DRIVE_PACE_H

#include <stdint.h>

struct pace {
    uint64_t start, between; /* ns; between: 0 without a rate */
    unsigned lines;
};

/* When the request with that number (from 0) on that line is due; 0: at once. */
static inline uint64_t pace_due(const struct pace *pace, unsigned line, uint64_t number)
{
    return pace->between ? pace->start + (number * pace->lines + line) * pace->between : 0;
}

#endif
