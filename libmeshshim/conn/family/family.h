/*
 * The family: processes that share connections, and the memory in which they do.
 *
 * What belongs to an open file description (keys, sequence numbers, kept bytes, locks) must be one and the same for everybody who has the
 * description open: a forked child, a program that was started on it, a process that got it by SCM_RIGHTS. It lives in one
 * sealed, sparse memfd, which every member maps: children by fork, new images because exec passes the descriptor on (hook/hook_exec.c).
 * Members map it at different addresses, so what is stored in it refers to other parts of it by arena_ref, never by pointer.
 *
 * The file's size is fixed and sealed, so nobody can shrink it under the others. Where memfds are forbidden, anonymous shared
 * memory does the same for forks alone.
 */
#ifndef MESHSHIM_FAMILY_H
#define MESHSHIM_FAMILY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"

enum { FAMILY_CHUNK = 1 << 20, FAMILY_SLOTS = 1024, FAMILY_BUCKETS = 4096, FAMILY_MAKERS = 1 << 17 };

/* At the beginning of the file; chunk 0 is its own. */
struct family {
    char magic[8];
    uint32_t layout; /* which library wrote it: another layout is not joined */
    struct lock growth;
    _Atomic uint32_t chunks;             /* in use, chunk 0 included */
    _Atomic uint32_t slots;              /* one past the highest slot that was ever taken */
    _Atomic uint32_t sweep;              /* where the next look for dead members begins */
    _Atomic uint64_t slot[FAMILY_SLOTS]; /* the members: conn/slots.c */
    struct {
        struct lock lock;
        uint32_t first; /* arena_ref of a struct shared */
    } bucket[FAMILY_BUCKETS];
    _Atomic uint8_t makers[FAMILY_MAKERS / 8]; /* a bit a process that has made Unix sockets: conn/slots.c */
};

/* NULL until there is one. */
extern struct family *family;

/* Founds one where this process has none. False: out of memory. */
bool family_begin(void);
/* A new image looks for the memfd among the descriptors that it inherited. False where there is none, or not of this layout. */
bool family_join(int fd);
/* Nothing of it is ours after all. */
void family_part(void);
/* The memfd, or -1. */
int family_fd(void);
/* The memory at an offset of the file, mapped if need be; NULL beyond its end or out of address space. */
void *family_at(uint64_t offset);
/* How many chunks there can be. */
uint32_t family_chunks(void);
/* In a forked child, first. */
void family_after_fork(void);

#endif
