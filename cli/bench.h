/* What meshctl bench was asked for, and the two ways to do it. */
#ifndef MESHCTL_BENCH_H
#define MESHCTL_BENCH_H

#include "comparison.h"
#include "launch.h"
#include "load.h"
#include "options.h"
#include "target.h"

struct bench {
    const char *config, *library; /* NULL: the default */
    struct target target, plain;  /* plain: where plain requests go, the same unless asked otherwise */
    bool has_plain;
    unsigned connections, rounds;
    uint64_t milliseconds; /* of each measurement */
    uint64_t rate;         /* requests a second; 0: as many as will go */
    enum format format;
};

/* bench_service.c: asks a running service. The exit status. */
int bench_service(const struct bench *bench);
/* In the process that is started for one measurement: does it, and writes the result to that descriptor. */
int bench_service_once(const struct bench *bench, int answer);

/* bench_command.c: runs a command. The exit status. */
int bench_command(const struct bench *bench, char **arguments);

#endif
