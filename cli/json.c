/* See json.h. */
#include "json.h"

#include "base/banned.h"

enum { DEPTH_MOST = 64 };

struct reader {
    const char *at, *end;
    int depth;
};

static bool read_value(struct reader *r, struct json *into);

static void skip_space(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

static bool accept(struct reader *r, char c)
{
    skip_space(r);
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static bool accept_word(struct reader *r, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, word, length) != 0)
        return false;
    r->at += length;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex4(struct reader *r, unsigned *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++) {
        int digit = r->at < r->end ? hex_digit(*r->at) : -1;
        if (digit < 0)
            return false;
        *code = *code * 16 + (unsigned)digit;
        r->at++;
    }
    return true;
}

static void put_utf8(struct buf *out, unsigned code)
{
    char bytes[4];
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = { 0, 0x00, 0xc0, 0xe0, 0xf0 };
    for (size_t i = n; i-- > 1; code >>= 6)
        bytes[i] = (char)(0x80 | (code & 0x3f));
    bytes[0] = (char)(lead[n] | code);
    buf_append(out, bytes, n);
}

/* After "\u": a surrogate pair is one character; a lone half, or NUL (it would end the text), becomes U+FFFD. */
static bool read_unicode(struct reader *r, struct buf *out)
{
    unsigned code, low;
    if (!read_hex4(r, &code))
        return false;
    if (code >= 0xd800 && code < 0xdc00 && accept_word(r, "\\u")) {
        if (!read_hex4(r, &low))
            return false;
        code = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
    }
    put_utf8(out, code == 0 || (code >= 0xd800 && code < 0xe000) ? 0xfffd : code);
    return true;
}

static bool read_escape(struct reader *r, struct buf *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found;
    if (r->at == r->end || *r->at == '\0')
        return false;
    if (*r->at == 'u') {
        r->at++;
        return read_unicode(r, out);
    }
    found = strchr(from, *r->at++);
    if (found)
        buf_append(out, &to[found - from], 1);
    return found != NULL;
}

static char *read_string(struct reader *r)
{
    struct buf out = BUF_INIT;
    bool good = accept(r, '"');
    buf_append(&out, "", 0);
    while (good && r->at < r->end && *r->at != '"') {
        if ((unsigned char)*r->at < 0x20)
            good = false;
        else if (*r->at == '\\')
            r->at++, good = read_escape(r, &out);
        else
            buf_append(&out, r->at++, 1);
    }
    good = good && accept(r, '"') && !out.failed;
    if (good && out.data)
        return out.data; /* the tree's now */
    buf_free(&out);
    return good ? strdup("") : NULL;
}

static bool read_number(struct reader *r, struct json *into)
{
    const char *start = r->at;
    while (r->at < r->end && *r->at && strchr("+-.0123456789eE", *r->at))
        r->at++;
    into->type = JSON_NUMBER;
    into->text = r->at > start ? strndup(start, (size_t)(r->at - start)) : NULL;
    return into->text != NULL;
}

static bool read_member(struct reader *r, struct json *into, bool keyed)
{
    if (keyed) {
        into->key = read_string(r);
        if (!into->key || !accept(r, ':'))
            return false;
    }
    return read_value(r, into);
}

static bool read_members(struct reader *r, struct json *into, bool keyed)
{
    char closing = keyed ? '}' : ']';
    struct json **tail = &into->child;

    into->type = keyed ? JSON_OBJECT : JSON_ARRAY;
    if (accept(r, closing))
        return true;
    do {
        *tail = calloc(1, sizeof **tail);
        if (!*tail || !read_member(r, *tail, keyed))
            return false;
        tail = &(*tail)->next;
    } while (accept(r, ','));
    return accept(r, closing);
}

static bool read_nested(struct reader *r, struct json *into, bool keyed)
{
    bool good = ++r->depth <= DEPTH_MOST && read_members(r, into, keyed);
    r->depth--;
    return good;
}

static bool read_value(struct reader *r, struct json *into)
{
    static const struct {
        const char *word;
        enum json_type type;
    } words[] = { { "null", JSON_NULL }, { "true", JSON_TRUE }, { "false", JSON_FALSE } };

    skip_space(r);
    if (r->at == r->end)
        return false;
    if (*r->at == '"') {
        into->type = JSON_STRING;
        into->text = read_string(r);
        return into->text != NULL;
    }
    if (*r->at == '{' || *r->at == '[')
        return read_nested(r, into, *r->at++ == '{');
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (accept_word(r, words[i].word)) {
            into->type = words[i].type;
            return true;
        }
    }
    return read_number(r, into);
}

struct json *json_parse(const char *text, size_t length)
{
    struct reader r = { text, text + length, 0 };
    struct json *json = calloc(1, sizeof *json);
    bool good = json && read_value(&r, json);
    skip_space(&r);
    if (good && r.at == r.end)
        return json;
    json_free(json);
    return NULL;
}

/* Siblings in a loop, children by recursion: as deep as DEPTH_MOST, never as long as an array. */
void json_free(struct json *json)
{
    while (json) {
        struct json *next = json->next;
        json_free(json->child);
        free(json->key);
        free(json->text);
        free(json);
        json = next;
    }
}

const struct json *json_get(const struct json *object, const char *key)
{
    if (!object || object->type != JSON_OBJECT)
        return NULL;
    for (const struct json *member = object->child; member; member = member->next)
        if (strcmp(member->key, key) == 0)
            return member;
    return NULL;
}

const char *json_text(const struct json *object, const char *key)
{
    const struct json *value = json_get(object, key);
    return value && value->text ? value->text : "";
}

uint64_t json_count(const struct json *object, const char *key)
{
    const char *text = json_text(object, key);
    return *text == '-' ? 0 : strtoull(text, NULL, 10);
}

double json_number(const struct json *object, const char *key)
{
    return strtod(json_text(object, key), NULL);
}
