/*
 * What the driver, and every process of the side that is made to fail, share: a mapped file, whose name is in FAULT_FILE. It is in FAULT_SWITCH
 * for the client, which says when it begins and ends.
 */
#ifndef FAULTS_CONTROL_H
#define FAULTS_CONTROL_H

#include <stdatomic.h>
#include <stdint.h>

/* Every call that can be made to fail, by number. */
enum fault_call {
#define SYM(ret, name, params, args, number) CALL_##name,
#include "base/symbols.def"
#undef SYM
#define CALL(ret, name, params, args, failure) CALL_##name,
#define SAFE(name)
#include "calls.def"
#undef CALL
#undef SAFE
    CALLS
};

enum fault_mode {
    FAULT_NONE,
    FAULT_COUNT, /* nothing fails: from where is what called? */
    FAULT_ONE,   /* the nth call of one function */
    FAULT_RATE,  /* one of `nth` calls, at random */
};

enum { FAULT_FRAMES = 20, FAULT_SITES = 1 << 14 };

/* A place that calls: its callers inside the library, as offsets. */
struct fault_site {
    _Atomic uint64_t hash; /* 0: none */
    uint16_t call;
    uint8_t thread; /* 0: the first of its process, 1: another (the admin thread) */
    uint8_t frames;
    uint32_t first;  /* the number of the call that came from here first, */
    uint32_t last;   /* and of the last one */
    uint32_t detail; /* of syscall its number, of epoll_ctl and fcntl the operation */
    uint32_t frame[FAULT_FRAMES];
};

struct fault_control {
    _Atomic int mode;
    int call, thread, error;
    uint32_t nth;
    _Atomic uint64_t random;
    _Atomic uint32_t hits;
    _Atomic uint32_t count[2][CALLS];
    struct fault_site hit; /* the last one */
    struct fault_site site[FAULT_SITES];
};

#endif
