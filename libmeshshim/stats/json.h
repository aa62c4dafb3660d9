/*
 * JSON, written as it comes: commas and escapes are the writer's. `key` is NULL inside an array and for the
 * outermost value. Texts may hold anything: bytes that are not UTF-8 become U+FFFD.
 */
#ifndef MESHSHIM_JSON_H
#define MESHSHIM_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct json_stream {
    struct buf *out;
    bool comma; /* the next value needs one */
};

static inline struct json_stream json_stream_to(struct buf *out)
{
    return (struct json_stream){ out, false };
}

void json_begin_object(struct json_stream *json, const char *key);
void json_end_object(struct json_stream *json);
void json_begin_array(struct json_stream *json, const char *key);
void json_end_array(struct json_stream *json);
void json_add_string(struct json_stream *json, const char *key, const char *value);
void json_add_uint(struct json_stream *json, const char *key, uint64_t value);
void json_add_bool(struct json_stream *json, const char *key, bool value);
/* Thousandths as a decimal number: -1234 is -1.234. */
void json_add_thousandths(struct json_stream *json, const char *key, int64_t value);
/* Nanoseconds as microseconds: one decimal below 100, none above. */
void json_add_micros(struct json_stream *json, const char *key, uint64_t ns);

/* The length of the sequence at `text`, which ends in NUL; 0 where it is not UTF-8 (RFC 3629: no surrogates,
 * none too long). */
size_t utf8_length(const unsigned char *text);

#endif
