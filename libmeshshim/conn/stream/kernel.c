/* From the end of the handshake on the kernel has the keys, where it is to seal and open the records. See stream.h. */
#include <errno.h>
#include <string.h>

#include "base/banned.h"
#include "base/log.h"
#include "base/process.h"
#include "conn/stream/stream.h"
#include "tls/ktls.h"

static void say_absent(void)
{
    static _Atomic bool said;
    if (!atomic_exchange(&said, true))
        log_warn("record_layer = kernel: this kernel offers no TLS ('modprobe tls' loads it where it has the "
                 "module); records "
                 "are sealed in the program itself, which is as safe");
}

/* A connection whose keys cannot be changed would not live for ever: only who asks for that gets it. */
static bool is_wanted(enum record_layer layer)
{
    switch (layer) {
    case RECORD_LAYER_USER:
        return false;
    case RECORD_LAYER_KERNEL:
        if (!ktls_is_offered())
            say_absent();
        return ktls_is_offered();
    default:
        return ktls_offer() == KTLS_REKEYS;
    }
}

/*
 * Whatever fails leaves its direction as it was: records are sealed, or opened, by ourselves, and the kernel passes them through. (It
 * refuses a connection whose peer has said its last word already.) In a program that has locked itself in we could not
 * make the calls that this takes.
 */
static int hand_over(struct conn *conn, int fd, bool sends)
{
    struct shared *shared = conn->shared;
    int error = ktls_attach(fd);
    if (!error && sends && (error = ktls_use(fd, TLS_TX, &shared->tx.keys)) == 0)
        shared->tx.kernel = conn->kernel_seals = true;
    if (!error && (error = ktls_use(fd, TLS_RX, &shared->rx.keys)) == 0)
        shared->rx.kernel = conn->kernel_opens = true;
    return error;
}

void stream_use_kernel(struct conn *conn, int fd, enum record_layer layer, bool sends)
{
    int saved = errno, error;

    if (!process_is_locked_in() && is_wanted(layer) &&
        (error = hand_over(conn, fd, sends && !stream_is_zerocopy(fd))) != 0)
        log_debug("the kernel does not take this connection's records: %s", strerror(error));
    errno = saved;
}

enum stats_layer stream_layer(const struct conn *conn)
{
    const struct shared *shared = conn->shared;
    if (shared->tx.kernel && shared->rx.kernel)
        return STATS_LAYER_KERNEL;
    return shared->tx.kernel || shared->rx.kernel ? STATS_LAYER_MIXED : STATS_LAYER_USER;
}

int stream_error_taken(struct conn *conn, int error)
{
    struct shared *shared = conn->shared;
    if (!error && shared->rx.found) { /* we were there first */
        error = shared_error(&shared->rx.found);
        shared->rx.found = 0;
    }
    if (shared->rx.kernel && stream_is_of_records(error)) {
        shared->rx.found = error;
        return ECONNRESET;
    }
    if (error) {
        shared->rx.reset_told = true; /* as in the kernel: told once, then the end */
        atomic_store(&shared->gone, true);
    }
    return error;
}
