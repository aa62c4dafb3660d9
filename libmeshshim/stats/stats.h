/*
 * Counters that all processes of a host's mesh share: one file, RUNTIME_DIR/stats-UID.shm, mapped by each.
 *
 * A finished program still shows, a prefork server is one sum, counters never go backwards. The file may be
 * written by any process of the same user: what is read from it is bounds-checked, never trusted.
 * A series that cannot be had (disk full, table full, no directory) is replaced by private memory or by
 * the overflow series; the data path never notices.
 */
#ifndef MESHSHIM_STATS_H
#define MESHSHIM_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"
#include "stats/histogram.h"

enum stats_direction { STATS_OUTBOUND, STATS_INBOUND };
enum stats_security { STATS_NONE, STATS_MUTUAL_TLS };
/* Who seals and opens the records: this library, the kernel (kernel TLS), or each in one direction. */
enum stats_layer { STATS_LAYER_USER, STATS_LAYER_KERNEL, STATS_LAYER_MIXED, STATS_LAYERS };
/* A connection that a permissive port let pass: by what it began with. Nothing: it ended before it said a word, as a probe does. */
enum stats_passed { STATS_PASSED_PLAIN, STATS_PASSED_TLS, STATS_PASSED_NOTHING, STATS_PASSED };
enum stats_failure {
    FAILURE_CONNECT,
    FAILURE_TIMEOUT,
    FAILURE_IDENTITY,
    FAILURE_CERTIFICATE,
    FAILURE_PLAINTEXT,
    FAILURE_PROTOCOL,
    FAILURE_POLICY,
    FAILURE_OWN_IDENTITY,
    FAILURE_COUNT
};
/* connect: TCP alone. handshake: TLS alone. turnaround: outbound, last byte written to first byte back;
 * inbound, last byte received to first byte answered. */
enum stats_latency { LATENCY_CONNECT, LATENCY_HANDSHAKE, LATENCY_TURNAROUND, LATENCY_COUNT };

/* What the data path touches. Only increments, each one relaxed atomic add. */
struct counters {
    _Atomic uint64_t opened, closed;
    _Atomic uint64_t resumed; /* of those opened: without certificates, by an earlier handshake */
    _Atomic uint64_t failed[FAILURE_COUNT];
    _Atomic uint64_t sent, received;       /* plaintext bytes */
    _Atomic uint64_t layer[STATS_LAYERS];  /* connections opened, by who has their records */
    _Atomic uint64_t passed[STATS_PASSED]; /* of those opened: let pass, by what they are */
    struct histogram latency[LATENCY_COUNT];
};

struct series; /* counters with labels; lives as long as the process */

/*
 * Maps the file for this process. `runtime_dir` is made (0700) where it is missing. Returns 0, or an errno
 * after which series live in private memory (they still count, meshctl's socket still shows them).
 */
int stats_open(const char *runtime_dir, const char *workload_id);
/*
 * The series of these labels, made if need be; never NULL. `service` is a configured name or "inbound:PORT";
 * `peer` a proven SPIFFE ID or "" (not known). Takes a lock: call it once a connection.
 */
struct series *stats_series(enum stats_direction direction, const char *service, const char *peer,
                            enum stats_security security);
struct counters *stats_counters(struct series *series);
/* A connection begins or ends: counts it, and keeps the number of active ones right even when the process is
 * killed. */
void stats_connection_opened(struct series *series);
void stats_connection_closed(struct series *series);
/* In a forked child, before it opens or closes a connection: it is a process of its own. Async-signal-safe
 * enough for atfork. */
void stats_after_fork(void);

/* The process ends, and counts no more. */
void stats_end(void);

/* Does now what would open files later: before the process is locked in. */
void stats_prepare(void);

/* Writers of everything in a runtime directory. They open the files themselves and need no stats_open. */
void stats_write_json(const char *runtime_dir, struct buf *out);
void stats_write_prometheus(const char *runtime_dir, struct buf *out);

/* Read access for meshctl's table: one row a series, copied out. */
struct stats_row {
    char workload[256], service[128], peer[256];
    enum stats_direction direction;
    enum stats_security security;
    uint64_t opened, closed, resumed, active, failed[FAILURE_COUNT], sent, received, layer[STATS_LAYERS];
    uint64_t passed[STATS_PASSED];
    struct histogram latency[LATENCY_COUNT];
};
/* Calls `each` for every series of the directory; the row is valid during the call. Returns 0 or an errno
 * (ENOENT: none yet). */
int stats_each(const char *runtime_dir, void (*each)(const struct stats_row *row, void *context),
               void *context);

extern const char *const stats_failure_names[FAILURE_COUNT]; /* connect, timeout, identity, … */
extern const char *const stats_latency_names[LATENCY_COUNT];
extern const char *const stats_layer_names[STATS_LAYERS];  /* user, kernel, mixed */
extern const char *const stats_passed_names[STATS_PASSED]; /* plain_text, own_tls, nothing */

#endif
