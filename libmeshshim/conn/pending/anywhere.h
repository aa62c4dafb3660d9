/* 0.0.0.0 and :: as somewhere to connect to: they stand for an address of this host. */
#ifndef MESHSHIM_ANYWHERE_H
#define MESHSHIM_ANYWHERE_H

#include <stdbool.h>
#include <sys/socket.h>

/* `address` is IPv4 or IPv6. */
bool anywhere_is(const struct sockaddr *address);
/* Replaces it, in place, by the address that the kernel would connect `fd` to. */
void anywhere_follow(int fd, struct sockaddr_storage *address);

#endif
