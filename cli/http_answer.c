/* See http_answer.h. */
#include "http_answer.h"

#include <strings.h>

#include "base/banned.h"

void http_answer_begin(struct http_answer *answer)
{
    *answer = (struct http_answer){ .part = HTTP_STATUS };
}

static void take_status(struct http_answer *answer)
{
    const char *line = answer->line;
    if (strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || line[8] != ' ') {
        answer->part = HTTP_WRONG;
        return;
    }
    answer->closes = line[7] == '0';
    answer->status = (int)strtol(line + 9, NULL, 10);
    answer->part = HTTP_FIELD;
}

/* The value of a header field, where the line is one of that name; else NULL. */
static const char *value_of(const char *line, const char *name)
{
    size_t length = strlen(name);
    if (strncasecmp(line, name, length) != 0 || line[length] != ':')
        return NULL;
    line += length + 1;
    return line + strspn(line, " \t");
}

/* RFC 9112 6.3: what the fields say of the body. */
static enum http_part part_after_fields(const struct http_answer *answer)
{
    if (answer->status / 100 == 1)
        return HTTP_STATUS;
    if (answer->status == 204 || answer->status == 304)
        return HTTP_COMPLETE;
    if (answer->is_chunked)
        return HTTP_CHUNK_SIZE;
    if (!answer->has_length)
        return HTTP_BODY_TO_END;
    return answer->left > 0 ? HTTP_BODY : HTTP_COMPLETE;
}

static void take_field(struct http_answer *answer)
{
    const char *value;
    if (answer->line[0] == '\0') {
        answer->part = part_after_fields(answer);
        answer->closes = answer->closes || answer->part == HTTP_BODY_TO_END;
    } else if ((value = value_of(answer->line, "Content-Length")) != NULL) {
        answer->left = strtoull(value, NULL, 10);
        answer->has_length = true;
    } else if ((value = value_of(answer->line, "Transfer-Encoding")) != NULL) {
        answer->is_chunked = strcasestr(value, "chunked") != NULL;
    } else if ((value = value_of(answer->line, "Connection")) != NULL) {
        answer->closes = strcasestr(value, "close") || (answer->closes && !strcasestr(value, "keep-alive"));
    }
}

static void take_chunk_size(struct http_answer *answer)
{
    char *end;
    answer->left = strtoull(answer->line, &end, 16);
    if (end == answer->line)
        answer->part = HTTP_WRONG;
    else
        answer->part = answer->left > 0 ? HTTP_CHUNK : HTTP_TRAILER;
}

static void take_line(struct http_answer *answer)
{
    switch (answer->part) {
    case HTTP_STATUS:
        take_status(answer);
        break;
    case HTTP_FIELD:
        take_field(answer);
        break;
    case HTTP_CHUNK_SIZE:
        take_chunk_size(answer);
        break;
    case HTTP_CHUNK_END:
        answer->part = HTTP_CHUNK_SIZE;
        break;
    default: /* of the trailer */
        if (answer->line[0] == '\0')
            answer->part = HTTP_COMPLETE;
        break;
    }
}

static void add_to_line(struct http_answer *answer, char byte)
{
    if (byte != '\n') {
        if (answer->line_length < sizeof answer->line - 1)
            answer->line[answer->line_length++] = byte;
        return;
    }
    if (answer->line_length > 0 && answer->line[answer->line_length - 1] == '\r')
        answer->line_length--;
    answer->line[answer->line_length] = '\0';
    answer->line_length = 0;
    take_line(answer);
}

/* Bytes that are only counted; how many of them. */
static size_t skip(struct http_answer *answer, size_t count)
{
    if (count > answer->left)
        count = (size_t)answer->left;
    answer->left -= count;
    if (answer->left == 0)
        answer->part = answer->part == HTTP_BODY ? HTTP_COMPLETE : HTTP_CHUNK_END;
    return count;
}

size_t http_answer_take(struct http_answer *answer, const char *bytes, size_t count)
{
    size_t used = 0;
    while (used < count && answer->part != HTTP_COMPLETE && answer->part != HTTP_WRONG) {
        if (answer->part == HTTP_BODY_TO_END)
            used = count;
        else if (answer->part == HTTP_BODY || answer->part == HTTP_CHUNK)
            used += skip(answer, count - used);
        else
            add_to_line(answer, bytes[used++]);
    }
    return used;
}

bool http_answer_is_whole(const struct http_answer *answer)
{
    return answer->part == HTTP_COMPLETE || answer->part == HTTP_BODY_TO_END;
}
