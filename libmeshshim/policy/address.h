/* Numeric addresses and prefixes of them. An IPv6 address that carries an IPv4 one counts as the IPv4 one. */
#ifndef MESHSHIM_ADDRESS_H
#define MESHSHIM_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"

struct address {
    uint8_t family;    /* 4 or 6 */
    uint8_t bits;      /* of the prefix; 32 or 128: one address */
    uint8_t bytes[16]; /* network order; zero beyond the prefix */
};

enum address_fault { ADDRESS_FINE, ADDRESS_NOT_NUMERIC, ADDRESS_BAD_LENGTH, ADDRESS_HOST_BITS };

/* "10.1.2.3", "fd00::1", "10.1.0.0/16". For ADDRESS_HOST_BITS the address is what it should have been. */
enum address_fault address_parse(const char *text, struct address *address);
/* From a socket address; false: another family, or too short. `port` may be NULL. */
bool address_from_socket(const struct sockaddr *from, socklen_t length, struct address *address,
                         uint16_t *port);
/* One address and a port as a socket address; returns its length. */
socklen_t address_to_socket(const struct address *address, uint16_t port, struct sockaddr_storage *to);
/* Keeps the first `bits` bits. */
struct address address_prefix(const struct address *address, uint8_t bits);
unsigned address_width(const struct address *address); /* 32 or 128 */
/* "10.1.2.3", or "10.1.0.0/16" where it is a prefix. */
void address_write(const struct address *address, struct buf *out);

#endif
