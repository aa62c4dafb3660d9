/* See selfpair.h. */
#include "conn/pending/selfpair.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>

#include "base/banned.h"
#include "base/libc.h"
#include "conn/fdtable.h"
#include "conn/pending/dial.h"

/* The latest ones, each as its descriptor plus one: a wire is accepted as soon as it is made. */
enum { LATEST = 16 };
static _Atomic int latest[LATEST];
static _Atomic unsigned count; /* 0: the fast path of every accept */

void selfpair_note(int fd, const struct sockaddr *address)
{
    uint16_t port = address->sa_family == AF_INET
                        ? ((const struct sockaddr_in *)(const void *)address)->sin_port
                        : ((const struct sockaddr_in6 *)(const void *)address)->sin6_port;
    if (dial_listens(ntohs(port)))
        atomic_store(&latest[atomic_fetch_add(&count, 1) % LATEST], fd + 1);
}

struct ends {
    struct sockaddr_in6 own, peer; /* room for both families; what is not filled is 0 */
};

static bool ends_of(int fd, struct ends *ends)
{
    socklen_t own = sizeof ends->own, peer = sizeof ends->peer;
    memset(ends, 0, sizeof *ends);
    return getsockname(fd, (struct sockaddr *)&ends->own, &own) == 0 &&
           libc.getpeername(fd, (struct sockaddr *)&ends->peer, &peer) == 0;
}

/* The number may have been closed since, and lead to a connection of the mesh. (Until connect has returned it is a fresh one.) */
static bool is_unprotected(int fd)
{
    const struct conn *conn = fdtable_get(fd);
    return !conn || conn_state(conn) == CONN_FRESH;
}

bool selfpair_is(int fd)
{
    struct ends accepted, noted;
    if (atomic_load_explicit(&count, memory_order_relaxed) == 0 || !ends_of(fd, &accepted))
        return false;
    for (int i = 0; i < LATEST; i++) {
        int other = atomic_load(&latest[i]) - 1;
        if (other >= 0 && other != fd && is_unprotected(other) && ends_of(other, &noted) &&
            memcmp(&noted.own, &accepted.peer, sizeof noted.own) == 0 &&
            memcmp(&noted.peer, &accepted.own, sizeof noted.peer) == 0) {
            atomic_store(&latest[i], 0);
            return true;
        }
    }
    return false;
}
