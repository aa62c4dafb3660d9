/* See target.h. */
#include "target.h"

#include "base/banned.h"

/* The host at the beginning of `text`, and where it ends. */
static const char *host_end(const char *text, const char **host)
{
    const char *end;
    *host = text;
    if (*text == '[') {
        *host = text + 1;
        end = strchr(text, ']');
        return end && end[1] == ':' ? end : NULL;
    }
    end = text + strcspn(text, ":/");
    return *end == ':' ? end : NULL;
}

bool target_parse(const char *text, struct target *target)
{
    const char *host, *end, *port, *path;
    size_t digits;

    if (strncmp(text, "http://", 7) == 0)
        text += 7;
    end = host_end(text, &host);
    if (!end || end == host)
        return false;
    port = strchr(end, ':') + 1;
    digits = strspn(port, "0123456789");
    path = port + digits;
    if (digits == 0 || digits > 5 || strtoul(port, NULL, 10) - 1 > 65534 || (*path && *path != '/') ||
        (size_t)(end - host) >= sizeof target->host || strlen(path) >= sizeof target->path)
        return false;
    snprintf(target->host, sizeof target->host, "%.*s", (int)(end - host), host);
    snprintf(target->port, sizeof target->port, "%.*s", (int)digits, port);
    snprintf(target->path, sizeof target->path, "%s", *path ? path : "/");
    snprintf(target->text, sizeof target->text, "%.*s", (int)(path - text), text);
    return true;
}

struct addrinfo *target_resolve(const struct target *target, const char **why)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    int error = getaddrinfo(target->host, target->port, &hints, &found);
    if (error == 0)
        return found;
    *why = gai_strerror(error);
    return NULL;
}
