/* Names: which address came from which one. */
#include <string.h>

#include "base/banned.h"
#include "conn/mesh.h"
#include "conn/names.h"
#include "hook/entry.h"

/*
 * A name that the resolver does not know, but the configuration does, by its endpoints: the first endpoint's address stands for
 * it, so that a service needs no entry in DNS.
 */
static int resolve_by_configuration(const char *node, const char *service, const struct addrinfo *hints,
                                    struct addrinfo **result)
{
    struct snapshot *snapshot = mesh_snapshot();
    const struct service *known = snapshot ? snapshot_match_name(snapshot, node) : NULL;
    char host[128];
    int error = EAI_NONAME;
    if (known && known->endpoint_count &&
        getnameinfo((const struct sockaddr *)&known->endpoints[0].address, known->endpoints[0].address_length,
                    host, sizeof host, NULL, 0, NI_NUMERICHOST) == 0)
        error = libc.getaddrinfo(host, service, hints, result);
    snapshot_unref(snapshot);
    return error;
}

/*
 * Only names of services are remembered, so that no other name that leads to the same address can push one out, and with it the
 * protection.
 */
static bool is_a_service(const char *node)
{
    struct snapshot *snapshot = mesh_snapshot();
    bool known = snapshot && snapshot_match_name(snapshot, node);
    snapshot_unref(snapshot);
    return known;
}

int hook_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                     struct addrinfo **result)
{
    int error = libc.getaddrinfo(node, service, hints, result);
    int saved = errno;
    if (mesh_state != MESH_ON || !node || !result || (hints && (hints->ai_flags & AI_NUMERICHOST)))
        return error;
    if (error && resolve_by_configuration(node, service, hints, result) == 0)
        error = 0;
    if (error == 0 && is_a_service(node))
        names_remember(node, *result);
    errno = saved;
    return error;
}
