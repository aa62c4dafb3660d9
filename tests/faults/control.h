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
    FAULT_ONE,   /* a call from one place */
    FAULT_RATE,  /* one of `nth` calls, at random */
};

/* In the place of an errno: the call does a little of what it was asked for. */
enum fault_answer {
    FAULT_SHORT = 5000, /* one byte is read or written */
    FAULT_END,          /* nothing is, which is no error */
};

enum { FAULT_FRAMES = 20, FAULT_SITES = 1 << 14 };

/* A place that calls: its callers inside the library, as offsets. Two calls with the same callers are one place. */
struct fault_site {
    _Atomic uint64_t hash; /* 0: none */
    uint16_t call;
    uint8_t thread; /* 0: the first of its process, 1: another (the admin thread) */
    uint8_t frames;
    uint8_t kind;           /* of the round in which it was found: see subject_trials.c */
    uint32_t first;         /* the number of the call that came from here first, */
    _Atomic uint32_t count; /* and how many came */
    uint32_t detail;        /* of syscall its number, of epoll_ctl and fcntl the operation */
    uint32_t frame[FAULT_FRAMES];
};

/* One of many that a client goes through by itself, one after the other: what is gone for good after some rounds in which it failed. */
struct fault_trial {
    uint64_t place;
    int kind, call, error;
    uint32_t hits;
    int64_t heap, arena, descriptors;
};
enum { FAULT_TRIALS = 1 << 13, FAULT_TRIES = 6 };

struct fault_control {
    _Atomic int mode;
    int call, error, kind;
    uint32_t nth;   /* of the calls from that place; 0: all of them */
    uint64_t place; /* the hash of its site */
    _Atomic uint64_t random;
    _Atomic uint32_t reached, hits;
    _Atomic uint32_t calls[2][CALLS];
    struct fault_site hit; /* the last one */
    _Atomic int owner;     /* the first process of the side */
    int alone;             /* nothing fails in its children */
    uint32_t trials;       /* 0: which places are there? */
    _Atomic uint32_t trial_next;
    struct fault_trial trial[FAULT_TRIALS];
    struct fault_site site[FAULT_SITES];
};

#endif
