/* What is to be measured: HOST:PORT[/path], with or without "http://" in front. */
#ifndef MESHCTL_TARGET_H
#define MESHCTL_TARGET_H

#include <netdb.h>
#include <stdbool.h>

struct target {
    char host[256]; /* without the brackets of an IPv6 address */
    char port[8];
    char path[2048]; /* "/" where none was given */
    char text[300];  /* HOST:PORT, for people and for a Host field */
};

bool target_parse(const char *text, struct target *target);
/* Its first address, looked up as a program does; NULL: *why says why not. Freed by freeaddrinfo. */
struct addrinfo *target_resolve(const struct target *target, const char **why);

#endif
