/* See respond.h. */
#include "admin/respond.h"

#include <unistd.h>

#include "base/banned.h"
#include "base/log.h"
#include "stats/json.h"
#include "stats/stats.h"

#define JSON "application/json"
#define TEXT "text/plain; version=0.0.4; charset=utf-8"

struct page {
    enum request_method method;
    const char *path, *type, *help;
    /* Appends the body; returns the status. */
    int (*write)(const struct admin_source *source, struct buf *body);
};

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    { 200, "OK" },
    { 400, "Bad Request" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 413, "Content Too Large" },
    { 422, "Unprocessable Content" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Error";
}

static void put_answer(struct buf *out, int status, const char *type, const char *allow,
                       const struct buf *body)
{
    buf_printf(
        out,
        "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n%s%s%s"
        "Connection: close\r\n\r\n",
        status, reason_of(status), type, body->length, allow ? "Allow: " : "", allow ? allow : "",
        allow ? "\r\n" : "");
    buf_append(out, buf_text(body), body->length);
}

static void put_error(struct buf *out, int status, const char *allow, const char *why)
{
    struct buf body = BUF_INIT;
    struct json_stream json = json_stream_to(&body);
    json_begin_object(&json, NULL);
    json_add_string(&json, "error", why);
    json_end_object(&json);
    buf_puts(&body, "\n");
    put_answer(out, status, JSON, allow, &body);
    buf_free(&body);
}

void respond_error(int status, const char *why, struct buf *out)
{
    put_error(out, status, status == 405 ? "GET, POST" : NULL, why);
}

static int from_callback(void (*write)(struct buf *out), struct buf *body)
{
    if (!write)
        return 404;
    write(body);
    return 200;
}

static int write_stats(const struct admin_source *source, struct buf *body)
{
    stats_write_json(source->runtime_dir, body);
    return 200;
}

static int write_metrics(const struct admin_source *source, struct buf *body)
{
    stats_write_prometheus(source->runtime_dir, body);
    return 200;
}

static int write_config(const struct admin_source *source, struct buf *body)
{
    return from_callback(source->config_json, body);
}

static int write_connections(const struct admin_source *source, struct buf *body)
{
    return from_callback(source->connections_json, body);
}

static int write_identity(const struct admin_source *source, struct buf *body)
{
    return from_callback(source->identity_json, body);
}

static int write_health(const struct admin_source *source, struct buf *body)
{
    struct json_stream json = json_stream_to(body);
    (void)source;
    json_begin_object(&json, NULL);
    json_add_string(&json, "status", "ok");
    json_add_uint(&json, "pid", (uint64_t)getpid());
    json_add_string(&json, "version", MESHSHIM_VERSION);
    json_end_object(&json);
    return 200;
}

bool respond_reload(const struct admin_source *source, struct buf *message)
{
    bool good = source->reload && source->reload(message);
    int line = (int)strcspn(buf_text(message), "\n"); /* the callee has told each */
    if (good)
        log_info("configuration reloaded%s%.*s", line ? ": " : "", line, buf_text(message));
    else if (source->reload)
        log_warn("the configuration is not reloaded, the last good one stays: %.*s", line, buf_text(message));
    return good;
}

static int write_reload(const struct admin_source *source, struct buf *body)
{
    struct json_stream json = json_stream_to(body);
    struct buf message = BUF_INIT;
    bool good;
    if (!source->reload)
        return 404;
    good = respond_reload(source, &message);
    json_begin_object(&json, NULL);
    json_add_bool(&json, "reloaded", good);
    json_add_string(&json, good ? "message" : "error", buf_text(&message));
    json_end_object(&json);
    body->failed |= message.failed;
    buf_free(&message);
    return good ? 200 : 422;
}

static int write_index(const struct admin_source *source, struct buf *body);

static const struct page pages[] = {
    { METHOD_GET, "/", JSON, "this list", write_index },
    { METHOD_GET, "/stats", JSON, "counters and latencies of the mesh on this host", write_stats },
    { METHOD_GET, "/metrics", TEXT, "the same for Prometheus", write_metrics },
    { METHOD_GET, "/config", JSON, "the configuration in force", write_config },
    { METHOD_GET, "/connections", JSON, "the meshed connections of this process", write_connections },
    { METHOD_GET, "/identity", JSON, "who this process is, and until when", write_identity },
    { METHOD_GET, "/healthz", JSON, "is it there", write_health },
    { METHOD_POST, "/reload", JSON, "read the configuration, certificate, key and bundle anew",
      write_reload },
};
#define PAGES (sizeof pages / sizeof pages[0])

static const char *const method_names[] = { "GET", "POST" };

static int write_index(const struct admin_source *source, struct buf *body)
{
    struct json_stream json = json_stream_to(body);
    (void)source;
    json_begin_object(&json, NULL);
    json_begin_array(&json, "endpoints");
    for (size_t i = 0; i < PAGES; i++) {
        json_begin_object(&json, NULL);
        json_add_string(&json, "method", method_names[pages[i].method]);
        json_add_string(&json, "path", pages[i].path);
        json_add_string(&json, "help", pages[i].help);
        json_end_object(&json);
    }
    json_end_array(&json);
    json_end_object(&json);
    return 200;
}

static const struct page *find(const char *path)
{
    for (size_t i = 0; i < PAGES; i++) {
        if (strcmp(pages[i].path, path) == 0)
            return &pages[i];
    }
    return NULL;
}

static void put_page(struct buf *out, const struct page *page, const struct admin_source *source)
{
    struct buf body = BUF_INIT;
    int status = page->write(source, &body);
    if (body.length && body.data[body.length - 1] != '\n')
        buf_puts(&body, "\n");
    if (status == 404)
        put_error(out, 404, NULL, "This process does not offer that page");
    else if (body.failed)
        put_error(out, 500, NULL, "Out of memory while writing the answer; ask again");
    else
        put_answer(out, status, page->type, NULL, &body);
    buf_free(&body);
}

void respond(const struct admin_source *source, const struct request *request, struct buf *out)
{
    const struct page *page = find(request->path);
    if (!page)
        put_error(out, 404, NULL, "There is no such page; / lists them");
    else if (page->method != request->method)
        put_error(out, 405, method_names[page->method],
                  "This page wants the other method, which Allow names");
    else
        put_page(out, page, source);
}
