/* See mesh.h. */
#include "conn/mesh.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/roomy.h"
#include "policy/config.h"
#include "tls/identity.h"

_Atomic enum mesh_state mesh_state = MESH_OFF;
struct timespec mesh_loaded;

static char whole_path[PATH_MAX];
static struct stat seen; /* the file as it was when it was found broken */

/* What cannot be read is read again after so long: it may have been for want of memory or of descriptors, which come back. */
enum { RETRY_MS = 1000 };
static int64_t retry_ms;
static struct lock lock;
static struct snapshot *current;
static struct identity *identity; /* of `current`; NULL: not made yet, or refused */
static char *refusal;             /* why it was refused */

static void log_each_line(const char *lines)
{
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        log_error("%.*s", (int)n, lines);
        lines += n + (lines[n] == '\n');
    }
}

/* A reload must find the file after a chdir. Symbolic links stay: Kubernetes changes what they lead to. */
static void keep_path(const char *path)
{
    char here[PATH_MAX];
    if (path[0] != '/' && getcwd(here, sizeof here))
        snprintf(whole_path, sizeof whole_path, "%.*s/%s", (int)(sizeof whole_path / 2), here, path);
    else
        snprintf(whole_path, sizeof whole_path, "%s", path);
}

void mesh_init(void)
{
    struct buf problems = BUF_INIT;
    const char *disabled = secure_getenv("MESHSHIM_DISABLE"), *path;
    bool is_explicit;

    if (disabled && strcmp(disabled, "1") == 0)
        return;
    path = config_path(&is_explicit);
    if (!is_explicit && access(path, F_OK) != 0)
        return;
    keep_path(path);
    clock_gettime(CLOCK_REALTIME_COARSE, &mesh_loaded);
    current = config_load(path, &problems);
    mesh_state = current ? MESH_ON : MESH_BROKEN;
    retry_ms = clock_ms() + RETRY_MS;
    if (!current) {
        stat(whole_path, &seen);
        log_each_line(buf_text(&problems));
        log_error("%s: no TCP connection in or out until this is mended (then reload, or start again)", path);
    }
    buf_free(&problems);
}

struct snapshot *mesh_snapshot(void)
{
    struct snapshot *snapshot = NULL;
    enum lock_result taken = lock_take(&lock);
    if (taken == LOCK_MINE)
        return NULL;
    if (current)
        snapshot = snapshot_ref(current);
    lock_release(&lock);
    return snapshot;
}

static void forget_identity(void)
{
    identity_unref(identity);
    identity = NULL;
    free(refusal);
    refusal = NULL;
}

static void load_identity(void *reason)
{
    identity = identity_new(snapshot_workload(current), reason);
}

/* In force from here on; returns what was, for the caller to drop without the lock. `lost` is a file that is kept as it was read before. */
static struct snapshot *install(struct snapshot *fresh, const char **lost)
{
    struct snapshot *old = current;
    *lost = old ? snapshot_keep_lost(fresh, old) : NULL;
    current = fresh;
    forget_identity();
    mesh_state = MESH_ON;
    return old;
}

static bool is_due(void)
{
    int64_t now = clock_ms();
    if (now < retry_ms)
        return false;
    retry_ms = now + RETRY_MS;
    return true;
}

static void load_quietly(void *loaded)
{
    struct snapshot **fresh = loaded;
    struct buf problems = BUF_INIT;
    *fresh = config_load(whole_path, &problems);
    buf_free(&problems);
}

/* With the lock held: the files anew, of which nothing is said where they are no better than before. */
static void try_again(void)
{
    struct snapshot *fresh = NULL;
    const char *lost;
    roomy_call(load_quietly, &fresh);
    if (fresh)
        snapshot_unref(install(fresh, &lost));
}

/* With the lock held. An expired certificate is refused here, at each new connection, not only when it was read. */
static struct identity *usable_identity(struct buf *why)
{
    if (!identity && refusal && is_due())
        try_again();
    if (!identity && !refusal) {
        struct buf reason = BUF_INIT;
        roomy_call(load_identity, &reason);
        if (!identity) {
            refusal = strdup(buf_text(&reason));
            retry_ms = clock_ms() + RETRY_MS;
        }
        buf_free(&reason);
    }
    if (identity && identity_not_after(identity) <= (int64_t)time(NULL)) {
        time_t end = (time_t)identity_not_after(identity);
        struct tm date;
        char text[32];
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&end, &date));
        buf_printf(why, "our certificate %s expired at %s; issue a new one",
                   snapshot_workload(current)->certificate.path, text);
        return NULL;
    }
    if (!identity)
        buf_puts(why, refusal ? refusal : "out of memory");
    return identity ? identity_ref(identity) : NULL;
}

struct identity *mesh_identity(struct buf *why)
{
    struct identity *usable = NULL;
    if (lock_take(&lock) == LOCK_MINE)
        return NULL;
    if (current)
        usable = usable_identity(why);
    lock_release(&lock);
    return usable;
}

bool mesh_reload(struct buf *message)
{
    const char *path = whole_path, *lost;
    struct buf problems = BUF_INIT;
    struct snapshot *fresh = config_load(path, &problems), *old;

    if (!fresh) {
        log_each_line(buf_text(&problems));
        buf_puts(message, buf_text(&problems));
        buf_free(&problems);
        log_warn("%s: not loaded; the last good configuration stays", path);
        return false;
    }
    buf_free(&problems);
    if (lock_take(&lock) == LOCK_MINE) {
        snapshot_unref(fresh);
        return false;
    }
    snapshot_ref(fresh); /* whose `lost` is */
    old = install(fresh, &lost);
    lock_release(&lock);
    if (lost)
        log_warn("%s: this user may not read it any more, so the identity stays what it was; let it read the "
                 "file, or start the program again",
                 lost);
    snapshot_unref(old);
    snapshot_unref(fresh);
    buf_printf(message, "%s: loaded\n", path);
    log_info("%s: loaded", path);
    return true;
}

/* The admin thread cannot do it: where its socket belongs stands in the configuration. */
void mesh_mend(void)
{
    struct buf message = BUF_INIT;
    struct stat st;
    if (stat(whole_path, &st) != 0 || lock_take(&lock) == LOCK_MINE)
        return;
    if (st.st_mtim.tv_sec == seen.st_mtim.tv_sec && st.st_mtim.tv_nsec == seen.st_mtim.tv_nsec &&
        st.st_ino == seen.st_ino && st.st_size == seen.st_size) {
        if (mesh_state == MESH_BROKEN && is_due())
            try_again();
        lock_release(&lock);
        return;
    }
    seen = st;
    lock_release(&lock);
    mesh_reload(&message);
    buf_free(&message);
}

const char *mesh_config_path(void)
{
    return whole_path;
}

void mesh_after_fork(void)
{
    lock = (struct lock){ 0 };
}
