/*
 * The mesh of this process: the configuration in force and the identity made from it.
 *
 * A reload builds a new snapshot and swaps it in; who holds a reference keeps the old one. The identity is made at the first
 * meshed socket, once a snapshot; while it cannot be had, the files are read again once a second.
 */
#ifndef MESHSHIM_MESH_H
#define MESHSHIM_MESH_H

#include <time.h>

#include "base/buf.h"
#include "policy/snapshot.h"

struct identity;

enum mesh_state {
    MESH_OFF, /* no configuration, or disabled: every call passes untouched */
    MESH_ON,
    MESH_BROKEN /* a configuration with errors: no new TCP connection until it is mended */
};

/* Read on every call that could make a connection, without a lock, while a reload may end MESH_BROKEN. */
extern _Atomic enum mesh_state mesh_state;

/* When the configuration was first read, a little early: by CLOCK_REALTIME_COARSE, as files are stamped. */
extern struct timespec mesh_loaded;

/* Once, at start-up. */
void mesh_init(void);
/* The snapshot in force, referenced: the caller unrefs it. NULL unless MESH_ON. */
struct snapshot *mesh_snapshot(void);
/*
 * The identity of the snapshot in force, referenced, made if need be; NULL where it cannot be had or has expired, with the sentence in
 * `why`.
 */
struct identity *mesh_identity(struct buf *why);
/* Reads the configuration again. False: the last good one stays; `message` says why, or what was loaded. */
bool mesh_reload(struct buf *message);
/* While it is MESH_BROKEN: reads the file again where it has changed since, else once a second. */
void mesh_mend(void);
/* The configuration's file, absolute. */
const char *mesh_config_path(void);
/* In a forked child, first. */
void mesh_after_fork(void);

#endif
