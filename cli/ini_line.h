/* Where the sections and keys of an ini file stand, to point at them. */
#ifndef MESHCTL_INI_LINE_H
#define MESHCTL_INI_LINE_H

#include <stddef.h>

#include "policy/table.h"

/* A file's sections by name, so that a thousand of them are looked for as quickly as one. Zero-initialise. */
struct ini_lines {
    struct table sections; /* "service payments" to its place */
    struct ini_place {
        const char *at; /* the line behind the heading */
        unsigned line;  /* of the heading */
    } * places;
    size_t count;
};

/* `text` must stay; NULL: nothing stands anywhere. What there is no memory for is not found. */
void ini_lines_read(struct ini_lines *lines, const char *text);
void ini_lines_free(struct ini_lines *lines);
/* The line of `key` in `section` ("service payments"), else of the section, else 0. `key` may be NULL. */
unsigned ini_line(const struct ini_lines *lines, const char *section, const char *key);

#endif
