/* rcmd and rexec connect and talk inside libc, where nothing can be protected: to a meshed service that is refused. */
#include <netinet/in.h>

#include "base/banned.h"
#include "base/log.h"
#include "conn/mesh.h"
#include "hook/entry.h"

static bool is_meshed(struct snapshot *snapshot, const char *host, const struct addrinfo *found,
                      uint16_t port)
{
    const struct service *service;
    if (found->ai_family == AF_INET)
        ((struct sockaddr_in *)(void *)found->ai_addr)->sin_port = port;
    else
        ((struct sockaddr_in6 *)(void *)found->ai_addr)->sin6_port = port;
    service = snapshot_match(snapshot, found->ai_addr, found->ai_addrlen, host);
    return service && service->mtls != MTLS_OFF;
}

/* `port` in network order, as these calls have it. */
static bool refuses(const char *call, const char *host, uint16_t port)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    struct snapshot *snapshot = mesh_state == MESH_ON ? mesh_snapshot() : NULL;
    bool meshed = mesh_state == MESH_BROKEN;
    if (snapshot && libc.getaddrinfo(host, NULL, &hints, &list) == 0)
        for (const struct addrinfo *a = list; a; a = a->ai_next)
            meshed = meshed || is_meshed(snapshot, host, a, port);
    if (list)
        freeaddrinfo(list);
    snapshot_unref(snapshot);
    if (meshed)
        log_error("%s would speak to %s in the clear, from inside libc: refused", call, host);
    return meshed;
}

static int made(int fd, const int *errors)
{
    if (fd >= 0 && errors)
        entry_new(*errors);
    return entry_new(fd);
}

int hook_rcmd(char **host, unsigned short port, const char *from, const char *to, const char *command,
              int *errors)
{
    if (refuses("rcmd", *host, port))
        return (int)as_result(-EACCES);
    return made(libc.rcmd(host, port, from, to, command, errors), errors);
}

int hook_rcmd_af(char **host, unsigned short port, const char *from, const char *to, const char *command,
                 int *errors, sa_family_t domain)
{
    if (refuses("rcmd_af", *host, port))
        return (int)as_result(-EACCES);
    return made(libc.rcmd_af(host, port, from, to, command, errors, domain), errors);
}

int hook_rexec(char **host, int port, const char *user, const char *word, const char *command, int *errors)
{
    if (refuses("rexec", *host, (uint16_t)port))
        return (int)as_result(-EACCES);
    return made(libc.rexec(host, port, user, word, command, errors), errors);
}

int hook_rexec_af(char **host, int port, const char *user, const char *word, const char *command, int *errors,
                  sa_family_t domain)
{
    if (refuses("rexec_af", *host, (uint16_t)port))
        return (int)as_result(-EACCES);
    return made(libc.rexec_af(host, port, user, word, command, errors, domain), errors);
}
