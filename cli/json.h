/* A reader of JSON into a tree. (Writing it: stats/json.h.) */
#ifndef MESHCTL_JSON_H
#define MESHCTL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_type type;
    char *key;          /* within an object; else NULL */
    char *text;         /* of a string, decoded; of a number, as written; else NULL */
    struct json *child; /* first of an array or object */
    struct json *next;  /* sibling */
};

/* NULL where it is not JSON, is nested deeper than 64, or memory is out. The caller frees it with json_free. */
struct json *json_parse(const char *text, size_t length);
void json_free(struct json *json);

/* All of these take NULL and a value of another type, and answer NULL, "" or 0. */
const struct json *json_get(const struct json *object, const char *key);
const char *json_text(const struct json *object, const char *key);
uint64_t json_count(const struct json *object, const char *key);
double json_number(const struct json *object, const char *key);

#endif
