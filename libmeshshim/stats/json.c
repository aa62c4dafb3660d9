/* See json.h. */
#include "stats/json.h"

#include <inttypes.h>
#include <string.h>

#include "base/banned.h"

size_t utf8_length(const unsigned char *text)
{
    unsigned char first = text[0], low = 0x80, high = 0xbf;
    size_t length;
    if (first >= 0xc2 && first <= 0xdf)
        length = 2;
    else if (first >= 0xe0 && first <= 0xef)
        length = 3;
    else if (first >= 0xf0 && first <= 0xf4)
        length = 4;
    else
        return 0;
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf4)
        high = 0x8f;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

static size_t put_multibyte(struct buf *out, const unsigned char *text)
{
    size_t length = utf8_length(text);
    if (length)
        buf_append(out, text, length);
    else
        buf_puts(out, "\\ufffd");
    return length ? length : 1;
}

static void put_ascii(struct buf *out, unsigned char c)
{
    static const char plain[] = "\b\f\n\r\t\"\\", named[] = "bfnrt\"\\";
    const char *at = c ? strchr(plain, c) : NULL;
    if (at) {
        char pair[2] = { '\\', named[at - plain] };
        buf_append(out, pair, 2);
    } else if (c < 0x20 || c == 0x7f) {
        buf_printf(out, "\\u%04x", c);
    } else {
        buf_append(out, &c, 1);
    }
}

static void put_quoted(struct buf *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    buf_puts(out, "\"");
    while (*at) {
        if (*at >= 0x80) {
            at += put_multibyte(out, at);
        } else {
            put_ascii(out, *at);
            at++;
        }
    }
    buf_puts(out, "\"");
}

static void before_value(struct json_stream *json, const char *key)
{
    if (json->comma)
        buf_puts(json->out, ",");
    if (key) {
        put_quoted(json->out, key);
        buf_puts(json->out, ":");
    }
    json->comma = true;
}

static void begin(struct json_stream *json, const char *key, const char *bracket)
{
    before_value(json, key);
    buf_puts(json->out, bracket);
    json->comma = false;
}

static void end(struct json_stream *json, const char *bracket)
{
    buf_puts(json->out, bracket);
    json->comma = true;
}

void json_begin_object(struct json_stream *json, const char *key)
{
    begin(json, key, "{");
}

void json_end_object(struct json_stream *json)
{
    end(json, "}");
}

void json_begin_array(struct json_stream *json, const char *key)
{
    begin(json, key, "[");
}

void json_end_array(struct json_stream *json)
{
    end(json, "]");
}

void json_add_string(struct json_stream *json, const char *key, const char *value)
{
    before_value(json, key);
    put_quoted(json->out, value);
}

void json_add_uint(struct json_stream *json, const char *key, uint64_t value)
{
    before_value(json, key);
    buf_printf(json->out, "%" PRIu64, value);
}

void json_add_bool(struct json_stream *json, const char *key, bool value)
{
    before_value(json, key);
    buf_puts(json->out, value ? "true" : "false");
}

void json_add_thousandths(struct json_stream *json, const char *key, int64_t value)
{
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    before_value(json, key);
    buf_printf(json->out, "%s%" PRIu64 ".%03" PRIu64, value < 0 ? "-" : "", size / 1000, size % 1000);
}

/* In integers: the program's locale may write a comma for the point. */
void json_add_micros(struct json_stream *json, const char *key, uint64_t ns)
{
    uint64_t tenths = ns / 100 + (ns % 100 >= 50);
    before_value(json, key);
    if (tenths >= 1000)
        buf_printf(json->out, "%" PRIu64, ns / 1000 + (ns % 1000 >= 500));
    else if (tenths % 10)
        buf_printf(json->out, "%" PRIu64 ".%" PRIu64, tenths / 10, tenths % 10);
    else
        buf_printf(json->out, "%" PRIu64, tenths / 10);
}
