/* Time, and processor time of this process and others. */
#ifndef DRIVE_CLOCK_H
#define DRIVE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    return clock_gettime(clock, &t) == 0 ? (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec : 0;
}

static inline uint64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* Nanoseconds that the processes of a list ("12,34") have run until now, finished threads and children that they have waited
 * for included. Exits where one of them is gone: what is measured must not die. */
uint64_t processor_ns(const char *pids);

#endif
