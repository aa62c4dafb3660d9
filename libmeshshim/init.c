/* The library as a whole: what happens at loading, at the first meshed socket, in a forked child, and at the end. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "admin/admin.h"
#include "admin/views.h"
#include "base/banned.h"
#include "base/blocks.h"
#include "base/libc.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/quiet.h"
#include "base/vault.h"
#include "conn/handover/adopt.h"
#include "conn/conn.h"
#include "conn/pending/driver.h"
#include "base/forked.h"
#include "conn/stream/goodbye.h"
#include "conn/family/family.h"
#include "conn/handover/handover.h"
#include "conn/fdtable.h"
#include "conn/mesh.h"
#include "conn/names.h"
#include "conn/ownfd.h"
#include "conn/pending/pending.h"
#include "conn/pending/readiness.h"
#include "hook/preload.h"
#include "hook/spawn_actions.h"
#include "hook/start.h"
#include "hook/stdio.h"
#include "tls/sessions.h"

static _Atomic int service;
static _Atomic bool counting;

/* A forked child has the mapping already. */
static void start_counting(void)
{
    struct snapshot *snapshot = mesh_snapshot();
    if (snapshot && !atomic_exchange(&counting, true)) {
        const struct workload *workload = snapshot_workload(snapshot);
        stats_open(workload->runtime_dir, workload->spiffe_id);
        if (snapshot_resumes(snapshot))
            sessions_open(workload->runtime_dir, workload->spiffe_id);
    }
    snapshot_unref(snapshot);
}

void start_service(void)
{
    struct snapshot *snapshot;
    int saved = errno, idle = 0;
    if (atomic_load_explicit(&service, memory_order_relaxed) ||
        !atomic_compare_exchange_strong(&service, &idle, 1))
        return;
    snapshot = mesh_snapshot();
    if (snapshot) {
        const struct workload *workload = snapshot_workload(snapshot);
        const struct admin_source source = {
            .runtime_dir = workload->runtime_dir,
            .config_json = view_config,
            .connections_json = view_connections,
            .identity_json = view_identity,
            .reload = mesh_reload,
            .watch = view_watched,
            .watch_after_ms = 1000,
            .loaded = mesh_loaded,
            .keep_fd = ownfd_keep,
            .drop_fd = ownfd_drop,
        };
        start_counting();
        admin_start(&source);
        snapshot_unref(snapshot);
    }
    errno = saved;
}

/* The program uses them through stdio, perhaps. */
static void take_up_inherited(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        const struct conn *conn = fdtable_get(fd);
        if (conn && conn_state(conn) >= CONN_CONNECTING)
            stdio_follow(fd);
    }
}

void start_after_fork(int slot, bool in_handler)
{
    int saved = errno;
    process_init();
    lock_forget_thread(); /* whose name has the namespace in it */
    quiet_after_fork();
    forked_after_fork();
    blocks_after_fork();
    vault_after_fork();
    mesh_after_fork();
    names_after_fork();
    family_after_fork();
    handover_after_fork();
    spawn_actions_after_fork();
    pending_after_fork();
    readiness_after_fork();
    stdio_after_fork();
    stats_after_fork();
    admin_after_fork();
    atomic_store(&service, 0);
    conn_after_fork_in_child(slot);
    driver_after_fork(in_handler);
    goodbye_after_fork();
    errno = saved;
}

void start_end(void)
{
    if (mesh_state == MESH_OFF)
        return;
    if (atomic_load(&pending_count))
        driver_finish();
    conn_goodbye_all();
    goodbye_finish();
}

void start_before_lock_in(bool all_threads)
{
    stats_prepare();
    if (all_threads)
        admin_stop();
}

/* Nothing can be refused where no call comes: so it is said. */
static void look_for_libc(void)
{
    if (mesh_state == MESH_OFF || !libc_is_in_front())
        return;
    log_error("LD_PRELOAD names libc.so.6 in front of this library, so that no call of this program comes "
              "here: nothing of it is "
              "meshed, its connections are plain; name this library first");
    mesh_state = MESH_OFF;
}

/* No thread, no socket, no OpenSSL here: most programs that inherit LD_PRELOAD never open a connection. */
__attribute__((constructor(101))) static void loaded(void)
{
    int saved = errno;
    libc_bind();
    process_init();
    log_init();
    mesh_init();
    look_for_libc();
    if (mesh_state != MESH_OFF) {
        readiness_init();
        process_watch_forks();
        if (!fdtable_init()) {
            log_error("no address space for the descriptor table: no TCP connection in or out");
            mesh_state = MESH_BROKEN;
        }
        preload_remember();
        if (adopt_inherited(start_counting))
            take_up_inherited();
    }
    errno = saved;
}

__attribute__((destructor)) static void unloaded(void)
{
    stdio_flush();
    if (!conn_may_call()) /* what is in the statistics stays until somebody sees that its owner is gone */
        return;
    start_end();
    if (!process_is_locked_in())
        admin_stop();
    stats_end();
}
