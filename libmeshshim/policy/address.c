/* See address.h. */
#include "policy/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/banned.h"

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

/* ::ffff:10.0.0.1 becomes 10.0.0.1; so does a prefix that lies wholly inside ::ffff:0:0/96. */
static void unmap(struct address *address)
{
    if (address->family != 6 || address->bits < 96 ||
        memcmp(address->bytes, mapped_prefix, sizeof mapped_prefix))
        return;
    address->family = 4;
    address->bits -= 96;
    memmove(address->bytes, address->bytes + 12, 4);
    memset(address->bytes + 4, 0, 12);
}

unsigned address_width(const struct address *address)
{
    return address->family == 4 ? 32 : 128;
}

struct address address_prefix(const struct address *address, uint8_t bits)
{
    struct address prefix = { .family = address->family, .bits = bits };
    memcpy(prefix.bytes, address->bytes, (bits + 7u) / 8);
    if (bits % 8)
        prefix.bytes[bits / 8] &= (uint8_t)(0xff00u >> (bits % 8));
    return prefix;
}

/* Digits alone, at most `most`. */
static bool parse_bits(const char *text, unsigned most, uint8_t *bits)
{
    unsigned value = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
        if (value > most)
            return false;
    }
    *bits = (uint8_t)value;
    return true;
}

enum address_fault address_parse(const char *text, struct address *address)
{
    char number[INET6_ADDRSTRLEN];
    const char *slash = strchrnul(text, '/');
    size_t length = (size_t)(slash - text);
    struct address whole = { .family = 4, .bits = 32 };
    bool host_bits;

    if (length >= sizeof number)
        return ADDRESS_NOT_NUMERIC;
    memcpy(number, text, length);
    number[length] = '\0';
    if (inet_pton(AF_INET, number, whole.bytes) != 1) {
        whole = (struct address){ .family = 6, .bits = 128 };
        if (inet_pton(AF_INET6, number, whole.bytes) != 1)
            return ADDRESS_NOT_NUMERIC;
    }
    if (*slash && !parse_bits(slash + 1, address_width(&whole), &whole.bits))
        return ADDRESS_BAD_LENGTH;
    *address = address_prefix(&whole, whole.bits);
    host_bits = memcmp(address->bytes, whole.bytes, sizeof whole.bytes) != 0;
    unmap(address);
    return host_bits ? ADDRESS_HOST_BITS : ADDRESS_FINE;
}

bool address_from_socket(const struct sockaddr *from, socklen_t length, struct address *address,
                         uint16_t *port)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (length >= sizeof v4 && from->sa_family == AF_INET) {
        memcpy(&v4, from, sizeof v4);
        *address = (struct address){ .family = 4, .bits = 32 };
        memcpy(address->bytes, &v4.sin_addr, 4);
        if (port)
            *port = ntohs(v4.sin_port);
        return true;
    }
    /* The scope came later (RFC 2133): the kernel takes an address without it, so we do. */
    if (length < offsetof(struct sockaddr_in6, sin6_scope_id) || from->sa_family != AF_INET6)
        return false;
    memcpy(&v6, from, offsetof(struct sockaddr_in6, sin6_scope_id));
    *address = (struct address){ .family = 6, .bits = 128 };
    memcpy(address->bytes, &v6.sin6_addr, 16);
    unmap(address);
    if (port)
        *port = ntohs(v6.sin6_port);
    return true;
}

socklen_t address_to_socket(const struct address *address, uint16_t port, struct sockaddr_storage *to)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

    memset(to, 0, sizeof *to);
    if (address->family == 4) {
        memcpy(&v4.sin_addr, address->bytes, 4);
        memcpy(to, &v4, sizeof v4);
        return sizeof v4;
    }
    memcpy(&v6.sin6_addr, address->bytes, 16);
    memcpy(to, &v6, sizeof v6);
    return sizeof v6;
}

void address_write(const struct address *address, struct buf *out)
{
    char text[INET6_ADDRSTRLEN];
    buf_puts(out, inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->bytes, text, sizeof text)
                      ? text
                      : "?");
    if (address->bits != address_width(address))
        buf_printf(out, "/%u", address->bits);
}
