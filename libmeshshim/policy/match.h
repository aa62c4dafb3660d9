/* From what a program dials to the service that claims it: hash tables, so a thousand services cost what one
 * does. */
#ifndef MESHSHIM_MATCH_H
#define MESHSHIM_MATCH_H

#include "policy/address.h"
#include "policy/table.h"

#define HOST_NAME_MOST 253

struct match {
    struct table names;                  /* port and name */
    struct table any_port;               /* name alone */
    struct table prefixes;               /* port and prefix */
    uint8_t lengths4[33], lengths6[129]; /* of the prefixes that exist, longest first */
    uint8_t count4, count6;
};

#define MATCH_NONE UINT32_MAX

/* A service claims a host and a port (0: any). TABLE_PRESENT: service *other claims just that already. */
enum table_put match_add_name(struct match *match, const char *name, uint16_t port, uint32_t service,
                              uint32_t *other);
enum table_put match_add_address(struct match *match, const struct address *address, uint16_t port,
                                 uint32_t service, uint32_t *other);
/* Most specific first: name, then the longest prefix; the port before any port. MATCH_NONE: nobody claims it.
 */
uint32_t match_find(const struct match *match, const struct address *address, uint16_t port,
                    const char *name);
uint32_t match_find_name(const struct match *match, const char *name);
void match_clear(struct match *match);

/* Lower case, without a trailing dot, into `to` of HOST_NAME_MOST + 1 bytes; false: it is too long or empty.
 */
bool host_name_fold(const char *name, char *to);

#endif
