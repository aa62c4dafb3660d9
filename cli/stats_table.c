/* See stats_table.h. */
#include "stats_table.h"

#include "json.h"
#include "render.h"
#include "stats/stats.h"

#include "base/banned.h"

static const struct column columns[] = {
    { "NAME", false },     { "DIRECTION", false }, { "SERVICE", false }, { "PEER", false },
    { "SECURITY", false }, { "RECORDS", false },   { "CONN", true },     { "ACTIVE", true },
    { "RESUMED", true },   { "FAILED", true },     { "SENT", true },     { "RECEIVED", true },
    { "HANDSHAKE", true }, { "P50", true },        { "P90", true },      { "P99", true },
    { "P99.9", true },
};
enum { COLUMNS = sizeof columns / sizeof *columns };

/* A failure's reason in words: what a person looks at next. */
static const struct {
    const char *reason, *words;
} reasons[] = {
    { "connect", "no TCP connection" },
    { "timeout", "too slow" },
    { "certificate", "a certificate that is not accepted, or none" },
    { "plaintext", "plain text where mutual TLS was expected" },
    { "protocol", "not TLS 1.3 as it should be" },
    { "policy", "refused by the configuration" },
    { "own_identity", "our own identity cannot be used" },
};

/* "spiffe://mesh.local/ns/default/sa/web" as "default/web"; anything else as it is. */
static void shorten(const char *id, char *out, size_t room)
{
    const char *namespace_ = strstr(id, "/ns/"),
               *account = namespace_ ? strstr(namespace_ + 4, "/sa/") : NULL;
    if (strncmp(id, "spiffe://", 9) == 0 && account && !strchr(account + 4, '/'))
        snprintf(out, room, "%.*s/%s", (int)(account - namespace_ - 4), namespace_ + 4, account + 4);
    else
        snprintf(out, room, "%s", *id ? id : "-");
}

/* Trust domains are shown only where a peer's is not the workload's own. */
static void peer_text(const char *peer, const char *workload, char *out, size_t room)
{
    size_t domain = strlen("spiffe://");
    if (strncmp(peer, "spiffe://", domain) == 0 && strncmp(workload, "spiffe://", domain) == 0) {
        size_t length = strcspn(peer + domain, "/");
        if (strncmp(peer, workload, domain + length + 1) != 0) {
            snprintf(out, room, "%s", peer);
            return;
        }
    }
    shorten(peer, out, room);
}

static uint64_t failures(const struct json *failed)
{
    uint64_t sum = 0;
    for (const struct json *reason = failed ? failed->child : NULL; reason; reason = reason->next)
        sum += reason->text ? strtoull(reason->text, NULL, 10) : 0;
    return sum;
}

/*
 * "identity" is a certificate that is valid and not wanted, the peer's or our own: TLS 1.3 tells a client after it has finished, when the
 * connection was counted as opened, and a server before it has learned who the client is.
 */
static const char *words_for_identity(const struct json *entry)
{
    bool opened = json_count(json_get(entry, "connections"), "opened") > 0;
    bool inbound = strcmp(json_text(entry, "direction"), "inbound") == 0, known = *json_text(entry, "peer");

    if (inbound)
        return known ? "a valid certificate, of somebody whom allow does not name"
                     : "no name of this mesh in its certificate, or it does not want us: see its log";
    return known && !opened ? "a valid certificate, of somebody whom the service's identity does not name"
                            : "it does not accept our certificate: see its allow list and its log";
}

static const char *words_for(const struct json *entry, const char *reason)
{
    if (strcmp(reason, "identity") == 0)
        return words_for_identity(entry);
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (strcmp(reasons[i].reason, reason) == 0)
            return reasons[i].words;
    return reason;
}

static void add_failures(struct grid *grid, const struct json *entry, const struct json *failed)
{
    struct buf line = BUF_INIT;
    const char *separator = "  failed: ";
    for (const struct json *reason = failed ? failed->child : NULL; reason; reason = reason->next) {
        if (!reason->text || strcmp(reason->text, "0") == 0)
            continue;
        buf_printf(&line, "%s%s %s (%s)", separator, reason->text, reason->key,
                   words_for(entry, reason->key));
        separator = ", ";
    }
    if (line.length > 0)
        grid_note(grid, RED, buf_text(&line));
    buf_free(&line);
}

/* What a permissive port let pass: who is not meshed yet. */
static void add_passed(struct grid *grid, const struct json *passed)
{
    static const struct {
        const char *name, *words;
    } kinds[] = { { "plain_text", "in plain text" },
                  { "own_tls", "with TLS of their own" },
                  { "nothing", "that said nothing" } };
    struct buf line = BUF_INIT;
    const char *separator = "  not meshed: ";

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (json_count(passed, kinds[i].name) == 0)
            continue;
        buf_printf(&line, "%s%s %s", separator, human_count(json_count(passed, kinds[i].name)).text,
                   kinds[i].words);
        separator = ", ";
    }
    if (line.length > 0)
        buf_puts(&line, "; MESHSHIM_LOG=info tells from where");
    if (line.length > 0)
        grid_note(grid, YELLOW, buf_text(&line));
    buf_free(&line);
}

/* "-" where nothing was measured: 0 would look fast. */
static void add_latency(struct grid *grid, const struct json *latency, const char *quantile)
{
    if (json_count(latency, "count") == 0)
        grid_cell(grid, DIM, "-");
    else
        grid_cell(grid, PLAIN, human_microseconds(json_number(latency, quantile)).text);
}

static void add_labels(struct grid *grid, const struct json *entry)
{
    const char *workload = json_text(entry, "workload"), *security = json_text(entry, "security");
    char name[300], peer[300];

    shorten(workload, name, sizeof name);
    peer_text(json_text(entry, "peer"), workload, peer, sizeof peer);
    grid_cell(grid, PLAIN, name);
    grid_cell(grid, PLAIN, json_text(entry, "direction"));
    grid_cell(grid, PLAIN, json_text(entry, "service"));
    grid_cell(grid, PLAIN, peer);
    grid_cell(grid, strcmp(security, "mutual_tls") == 0 ? GREEN : YELLOW, security);
}

/* Who seals them: "kernel", "user", or "mixed" where connections of the series differ. */
static const char *record_layer(const struct json *layers)
{
    const struct json *first = layers ? layers->child : NULL;
    if (!first)
        return "-";
    return first->next ? "mixed" : first->key;
}

static void add_entry(struct grid *grid, const struct json *entry)
{
    static const char *const quantiles[] = { "p50", "p90", "p99", "p999" };
    const struct json *connections = json_get(entry, "connections"), *bytes = json_get(entry, "bytes");
    const struct json *latency = json_get(entry, "latency_us"), *turnaround = json_get(latency, "turnaround");
    const struct json *failed = json_get(connections, "failed");
    const struct json *passed = json_get(connections, "passed"); /* once let pass, we see no more of them */
    uint64_t failure_count = failures(failed);

    add_labels(grid, entry);
    grid_cell(grid, PLAIN, record_layer(json_get(entry, "record_layer")));
    grid_cell(grid, PLAIN, human_count(json_count(connections, "opened")).text);
    grid_cell(grid, PLAIN, passed ? "-" : human_count(json_count(connections, "active")).text);
    grid_cell(grid, PLAIN, human_count(json_count(connections, "resumed")).text);
    grid_cell(grid, failure_count ? RED : PLAIN, human_count(failure_count).text);
    grid_cell(grid, PLAIN, passed ? "-" : human_bytes(json_count(bytes, "sent")).text);
    grid_cell(grid, PLAIN, passed ? "-" : human_bytes(json_count(bytes, "received")).text);
    add_latency(grid, json_get(latency, "handshake"), "p50");
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
        add_latency(grid, turnaround, quantiles[i]);
    add_passed(grid, passed);
    add_failures(grid, entry, failed);
}

static void write_entries(const struct json *entries)
{
    struct grid *grid = grid_new(columns, COLUMNS);
    for (const struct json *entry = entries->child; entry; entry = entry->next)
        add_entry(grid, entry);
    grid_write(grid);
    grid_free(grid);
}

bool stats_table_write(const struct buf *text, const char *where, struct buf *why)
{
    struct json *json = json_parse(buf_text(text), text->length);
    const struct json *entries = json_get(json, "entries");
    bool good = entries && entries->type == JSON_ARRAY;

    if (!good)
        buf_printf(why, "%s holds no statistics that this meshctl understands; is it of another version",
                   where);
    else if (!entries->child)
        printf("no connection has been counted in %s yet; --runtime-dir or --socket looks elsewhere\n",
               where);
    else
        write_entries(entries);
    json_free(json);
    return good;
}
