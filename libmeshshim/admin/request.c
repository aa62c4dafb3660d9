/* See request.h. RFC 9112, without what an admin socket has no use for: chunked bodies, folded lines, other
 * methods. */
#include "admin/request.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/banned.h"

struct span {
    const char *at;
    size_t length;
};

struct parser {
    struct request *request;
    const char **why;
    bool has_length;
};

static int refuse(struct parser *parser, int status, const char *why)
{
    *parser->why = why;
    return status;
}

static bool is(struct span span, const char *text)
{
    return span.length == strlen(text) && memcmp(span.at, text, span.length) == 0;
}

static bool is_header(struct span name, const char *text)
{
    return name.length == strlen(text) && strncasecmp(name.at, text, name.length) == 0;
}

/* RFC 9110 §5.6.2. */
static bool is_token(struct span span)
{
    for (size_t i = 0; i < span.length; i++) {
        char c = span.at[i];
        bool alphanumeric = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!alphanumeric && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return span.length > 0;
}

static bool is_text(struct span span, unsigned char first)
{
    for (size_t i = 0; i < span.length; i++) {
        unsigned char c = (unsigned char)span.at[i];
        if ((c < first && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* The part of `rest` before `mark`, which is taken from it along with the mark; false where there is no mark.
 */
static bool cut(struct span *rest, char mark, struct span *part)
{
    const char *at = memchr(rest->at, mark, rest->length);
    if (!at)
        return false;
    part->at = rest->at;
    part->length = (size_t)(at - rest->at);
    rest->at = at + 1;
    rest->length -= part->length + 1;
    return true;
}

/* "/path?query" or "http://anything/path?query". */
static int take_target(struct parser *parser, struct span target)
{
    static const char scheme[] = "http://";
    struct span path = target, before;

    if (target.length > strlen(scheme) && strncasecmp(target.at, scheme, strlen(scheme)) == 0) {
        const char *slash = memchr(target.at + strlen(scheme), '/', target.length - strlen(scheme));
        if (!slash)
            path = (struct span){ "/", 1 };
        else
            path = (struct span){ slash, target.length - (size_t)(slash - target.at) };
    }
    if (path.length == 0 || path.at[0] != '/' || !is_text(target, 0x21) ||
        memchr(target.at, '\t', target.length))
        return refuse(parser, 400, "The request's target is not a path");
    if (cut(&path, '?', &before))
        path = before;
    if (path.length >= sizeof parser->request->path)
        return refuse(parser, 404, "There is no such page; / lists them");
    memcpy(parser->request->path, path.at, path.length);
    parser->request->path[path.length] = '\0';
    return 0;
}

static int take_request_line(struct parser *parser, struct span line)
{
    struct span method, target;

    if (!cut(&line, ' ', &method) || !is_token(method) || !cut(&line, ' ', &target))
        return refuse(parser, 400, "This is not an HTTP request line");
    if (!is(line, "HTTP/1.1") && !is(line, "HTTP/1.0"))
        return refuse(parser, 400, "This socket speaks HTTP/1.1 and HTTP/1.0");
    if (is(method, "GET"))
        parser->request->method = METHOD_GET;
    else if (is(method, "POST"))
        parser->request->method = METHOD_POST;
    else
        return refuse(parser, 405, "This socket knows the methods GET and POST");
    return take_target(parser, target);
}

static int take_length(struct parser *parser, struct span value)
{
    size_t number = 0;

    for (size_t i = 0; i < value.length; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return refuse(parser, 400, "Content-Length is not a number");
        if (number <= REQUEST_BODY_MOST)
            number = number * 10 + (size_t)(value.at[i] - '0');
    }
    if (value.length == 0 || (parser->has_length && number != parser->request->body))
        return refuse(parser, 400,
                      "Content-Length is missing its number, or comes twice with different ones");
    parser->has_length = true;
    parser->request->body = number;
    return number > REQUEST_BODY_MOST ? refuse(parser, 413, "The body is longer than 64 KiB") : 0;
}

static int take_header(struct parser *parser, struct span line)
{
    struct span name;

    if (!cut(&line, ':', &name) || !is_token(name) || !is_text(line, 0x20))
        return refuse(parser, 400, "A header line is not of the form 'Name: value'");
    while (line.length && (*line.at == ' ' || *line.at == '\t'))
        line.at++, line.length--;
    while (line.length && (line.at[line.length - 1] == ' ' || line.at[line.length - 1] == '\t'))
        line.length--;
    if (is_header(name, "Transfer-Encoding"))
        return refuse(parser, 400, "Send the body with Content-Length, not with Transfer-Encoding");
    return is_header(name, "Content-Length") ? take_length(parser, line) : 0;
}

/* A line without its end; false where its end has not come yet. */
static bool next_line(struct span *rest, struct span *line)
{
    if (!cut(rest, '\n', line))
        return false;
    if (line->length && line->at[line->length - 1] == '\r')
        line->length--;
    return true;
}

static int need_more(struct parser *parser, size_t length)
{
    if (length >= REQUEST_HEAD_MOST)
        return refuse(parser, 431, "The request's head is longer than 8 KiB");
    return 0;
}

int request_parse(const char *data, size_t length, struct request *request, const char **why)
{
    struct parser parser = { request, why, false };
    struct span rest = { data, length < REQUEST_HEAD_MOST ? length : REQUEST_HEAD_MOST }, line;
    int status;

    memset(request, 0, sizeof *request);
    if (!next_line(&rest, &line))
        return need_more(&parser, length);
    if (line.length == 0 &&
        !next_line(&rest, &line)) /* RFC 9112 §2.2: one empty line before it is forgiven */
        return need_more(&parser, length);
    status = take_request_line(&parser, line);
    while (!status) {
        if (!next_line(&rest, &line))
            return need_more(&parser, length);
        if (line.length == 0)
            break;
        status = take_header(&parser, line);
    }
    request->head = (size_t)(rest.at - data);
    return status ? status : 200;
}
