/* Which name an address came from: what getaddrinfo answered is remembered, so that a service can be named by its host. */
#ifndef MESHSHIM_NAMES_H
#define MESHSHIM_NAMES_H

#include <netdb.h>
#include <stdbool.h>

/* Remembers every address of `list` as an answer for `name`, the latest name winning. */
void names_remember(const char *name, const struct addrinfo *list);
/* The name that `address` (its port does not matter) was last an answer for; false where none is known. */
bool names_of(const struct sockaddr *address, char *name, size_t room);
void names_after_fork(void);

#endif
