/*
 * The text of one key, and what reads each type of it. A parser tells what is wrong, with the line of the
 * very piece that is, and then leaves `field` as it was.
 */
#ifndef MESHSHIM_VALUE_H
#define MESHSHIM_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "policy/problems.h"

/* What one line gave: the first one, then an indented line each. */
struct piece {
    unsigned line;
    const char *text; /* trimmed, without comment */
};

struct value {
    const char *key;
    const char *variable; /* the environment variable that it came from; NULL: the file */
    const struct piece *pieces;
    size_t count;          /* at least 1 */
    const char *directory; /* what a relative path is relative to; NULL: as it is */
    struct problems *problems;
};

typedef void value_parser(const struct value *value, void *field);

value_parser value_segment;      /* char *: a part of a SPIFFE ID's path */
value_parser value_trust_domain; /* char * */
value_parser value_path;         /* char *, made absolute by the file's directory */
value_parser value_pem;          /* struct pem_file: its path */
value_parser value_mtls_inbound, value_mtls_service;
value_parser value_unmeshable;
value_parser value_resumption;
value_parser value_record_layer;
value_parser value_protocol;
value_parser value_balancer;
value_parser value_timeout;    /* int64_t, milliseconds, at least 1 */
value_parser value_grace;      /* int64_t, milliseconds, 0 too */
value_parser value_count;      /* unsigned */
value_parser value_port;       /* uint16_t, not 0 */
value_parser value_flag;       /* bool */
value_parser value_hosts;      /* struct host_list */
value_parser value_identities; /* struct identity_list */
value_parser value_endpoints;  /* struct service: its endpoints */

/* Pieces for the parsers. */

/* The only line of a value that may not be a list; NULL, and told, where it is empty or goes on. */
const char *value_text(const struct value *value);
struct origin value_origin(const struct value *value, unsigned line);
#define value_wrong(value, ...)                                                                              \
    problem_add((value)->problems, value_origin(value, (value)->pieces[0].line), __VA_ARGS__)

/* The items of a list: separated by commas, and by the ends of lines. Zero-initialise. */
struct items {
    size_t piece, offset;
    unsigned line; /* of the item */
    char text[256];
};
/* The next item into items->text. Empty ones are told. */
bool value_next_item(const struct value *value, struct items *items);
/* Told and true where the list has nothing in it. */
bool value_is_empty_list(const struct value *value);
#define item_wrong(value, items, ...)                                                                        \
    problem_add((value)->problems, value_origin(value, (items)->line), __VA_ARGS__)

/* Digits alone, 1 to 65535. */
bool port_parse(const char *text, uint16_t *port);
/* Characters of a path segment, and of a trust domain, in a SPIFFE ID. NULL: it is right; else what is wrong.
 */
const char *segment_fault(const char *text, size_t length);
const char *trust_domain_fault(const char *text, size_t length);

#endif
