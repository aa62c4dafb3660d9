/* Names: which address came from which one. */
#include <netinet/in.h>
#include <string.h>

#include "base/banned.h"
#include "conn/mesh.h"
#include "conn/names.h"
#include "hook/entry.h"

enum { ADDRESS_ROOM = 128 };

/*
 * A name that the resolver does not know, but the configuration does, by its endpoints: the first endpoint's address stands for
 * it, so that a service needs no entry in DNS.
 */
static bool stand_in(const char *node, char address[ADDRESS_ROOM])
{
    struct snapshot *snapshot = mesh_state == MESH_ON && node ? mesh_snapshot() : NULL;
    const struct service *known = snapshot ? snapshot_match_name(snapshot, node) : NULL;
    bool found =
        known && known->endpoint_count &&
        getnameinfo((const struct sockaddr *)&known->endpoints[0].address, known->endpoints[0].address_length,
                    address, ADDRESS_ROOM, NULL, 0, NI_NUMERICHOST) == 0;
    snapshot_unref(snapshot);
    return found;
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

/* What a look-up has come to: `error`, or 0 where the configuration knows better. */
static int learn(int error, const char *node, const char *service, const struct addrinfo *hints,
                 struct addrinfo **result)
{
    int saved = errno;
    char address[ADDRESS_ROOM];
    if (mesh_state != MESH_ON || !node || !result || (hints && (hints->ai_flags & AI_NUMERICHOST)))
        return error;
    if (error && stand_in(node, address) && libc.getaddrinfo(address, service, hints, result) == 0)
        error = 0;
    if (error == 0 && is_a_service(node))
        names_remember(node, *result);
    errno = saved;
    return error;
}

int hook_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                     struct addrinfo **result)
{
    return learn(libc.getaddrinfo(node, service, hints, result), node, service, hints, result);
}

/* ---- getaddrinfo_a: libc looks up in a thread of its own, so its answers are learnt when they are asked for ---- */

int hook_gai_error(struct gaicb *request)
{
    int error = libc.gai_error(request);
    if (mesh_state != MESH_ON || error == EAI_INPROGRESS || error == EAI_CANCELED)
        return error;
    request->__return =
        learn(error, request->ar_name, request->ar_service, request->ar_request, &request->ar_result);
    return request->__return;
}

static void learn_all(struct gaicb *const *list, int n)
{
    for (int i = 0; i < n && mesh_state == MESH_ON; i++)
        if (list[i])
            hook_gai_error(list[i]);
}

int hook_getaddrinfo_a(int mode, struct gaicb **list, int n, struct sigevent *notice)
{
    int error = libc.getaddrinfo_a(mode, list, n, notice);
    if (mode == GAI_WAIT)
        learn_all(list, n);
    return error;
}

int hook_gai_suspend(const struct gaicb *const *list, int n, const struct timespec *limit)
{
    int error = libc.gai_suspend(list, n, limit);
    learn_all((struct gaicb *const *)(uintptr_t)list, n);
    return error;
}

/* ---- gethostbyname and its kin ---- */

static void remember_host(const char *name, const struct hostent *host)
{
    for (char **address = host->h_addr_list; *address; address++) {
        struct sockaddr_in four = { .sin_family = AF_INET };
        struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
        struct addrinfo one = { .ai_addr = (struct sockaddr *)&four };
        if (host->h_addrtype == AF_INET6) {
            memcpy(&six.sin6_addr, *address, sizeof six.sin6_addr);
            one.ai_addr = (struct sockaddr *)&six;
        } else {
            memcpy(&four.sin_addr, *address, sizeof four.sin_addr);
        }
        names_remember(name, &one);
    }
}

static void learn_host(const char *name, const struct hostent *host)
{
    int saved = errno;
    if (mesh_state == MESH_ON && name && host && is_a_service(name))
        remember_host(name, host);
    errno = saved;
}

struct hostent *hook_gethostbyname(const char *name)
{
    struct hostent *host = libc.gethostbyname(name);
    char address[ADDRESS_ROOM];
    if (!host && stand_in(name, address))
        host = libc.gethostbyname(address);
    learn_host(name, host);
    return host;
}

struct hostent *hook_gethostbyname2(const char *name, int domain)
{
    struct hostent *host = libc.gethostbyname2(name, domain);
    char address[ADDRESS_ROOM];
    if (!host && stand_in(name, address))
        host = libc.gethostbyname2(address, domain);
    learn_host(name, host);
    return host;
}

int hook_gethostbyname_r(const char *name, struct hostent *host, char *room, size_t size,
                         struct hostent **result, int *error)
{
    int failed = libc.gethostbyname_r(name, host, room, size, result, error);
    char address[ADDRESS_ROOM];
    if (failed != ERANGE && !*result && stand_in(name, address))
        failed = libc.gethostbyname_r(address, host, room, size, result, error);
    learn_host(name, *result);
    return failed;
}

int hook_gethostbyname2_r(const char *name, int domain, struct hostent *host, char *room, size_t size,
                          struct hostent **result, int *error)
{
    int failed = libc.gethostbyname2_r(name, domain, host, room, size, result, error);
    char address[ADDRESS_ROOM];
    if (failed != ERANGE && !*result && stand_in(name, address))
        failed = libc.gethostbyname2_r(address, domain, host, room, size, result, error);
    learn_host(name, *result);
    return failed;
}
