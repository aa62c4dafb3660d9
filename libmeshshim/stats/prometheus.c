/* Prometheus' text format 0.0.4, with Istio's names and labels where Istio has them. */
#include <inttypes.h>
#include <string.h>

#include "base/banned.h"
#include "stats/json.h"
#include "stats/stats.h"

struct metric {
    const char *name, *type, *help;
    size_t offset;
};

static const struct metric counter_metrics[] = {
#define COUNTER(metric, type, member, help) { metric, type, help, offsetof(struct stats_row, member) },
#include "stats/stats.def"
};
#define COUNTER_METRICS (sizeof counter_metrics / sizeof counter_metrics[0])

static const struct metric latency_metrics[LATENCY_COUNT] = {
#define LATENCY(id, name, metric, help) [id] = { metric, "histogram", help, 0 },
#include "stats/stats.def"
};

static const struct metric failed_metric = { "meshshim_connections_failed_total", "counter",
                                             "Connections that failed, by reason.", 0 };

static const struct metric layer_metric = { "meshshim_connections_record_layer_total", "counter",
                                            "Connections opened, by who seals their records.", 0 };

static const struct metric passed_metric = { "meshshim_connections_passed_total", "counter",
                                             "Connections that a permissive port let pass, by what they are.",
                                             0 };

static const struct {
    uint64_t ns;
    const char *text;
} bounds[] = {
#define BOUND(ns, text) { ns, text },
#include "stats/stats.def"
};

/* The samples of a metric stand together, so each has a text of its own until all rows are seen. */
struct page {
    struct buf counters[COUNTER_METRICS], failed, layers, passed, latencies[LATENCY_COUNT];
    struct buf labels; /* of the row at hand */
};

/* Escapes what the format wants escaped; returns how many bytes of the value it took. */
static size_t put_character(struct buf *out, const char *at)
{
    size_t length = (unsigned char)*at < 0x80 ? 1 : utf8_length((const unsigned char *)at);
    if (*at == '\n')
        buf_puts(out, "\\n");
    else if (*at == '\\' || *at == '"')
        buf_printf(out, "\\%c", *at);
    else if (length)
        buf_append(out, at, length);
    else
        buf_puts(out, "\xef\xbf\xbd"); /* not UTF-8: U+FFFD */
    return length ? length : 1;
}

static void put_label(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s%s=\"", out->length ? "," : "", name);
    while (*value)
        value += put_character(out, value);
    buf_puts(out, "\"");
}

/* The part of a SPIFFE ID after "/ns/" or "/sa/", as Istio lays them out; "unknown", Istio's word, where
 * there is none. */
static void part_of(const char *id, const char *mark, char *part, size_t room)
{
    const char *at = strstr(id, mark);
    size_t length = at ? strcspn(at + strlen(mark), "/") : 0;
    if (length == 0 || length >= room)
        snprintf(part, room, "unknown");
    else
        snprintf(part, room, "%.*s", (int)length, at + strlen(mark));
}

struct end_names {
    const char *principal, *workload, *namespace_;
};
static const struct end_names source_names = { "source_principal", "source_workload",
                                               "source_workload_namespace" };
static const struct end_names destination_names = { "destination_principal", "destination_workload",
                                                    "destination_workload_namespace" };

static void put_end(struct buf *out, const struct end_names *names, const char *id)
{
    char part[256];
    put_label(out, names->principal, *id ? id : "unknown");
    part_of(id, "/sa/", part, sizeof part);
    put_label(out, names->workload, part);
    part_of(id, "/ns/", part, sizeof part);
    put_label(out, names->namespace_, part);
}

static void write_labels(struct buf *out, const struct stats_row *row)
{
    bool inbound = row->direction == STATS_INBOUND;
    out->length = 0;
    put_label(out, "reporter", inbound ? "destination" : "source");
    put_end(out, &source_names, inbound ? row->peer : row->workload);
    put_end(out, &destination_names, inbound ? row->workload : row->peer);
    put_label(out, "destination_service", row->service);
    put_label(out, "destination_service_name", row->service);
    put_label(out, "request_protocol", "tcp");
    put_label(out, "connection_security_policy", row->security == STATS_MUTUAL_TLS ? "mutual_tls" : "none");
}

static void write_latency(struct page *page, int which, const struct histogram *histogram)
{
    const char *name = latency_metrics[which].name, *labels = buf_text(&page->labels);
    struct buf *out = &page->latencies[which];
    uint64_t total = histogram_total(histogram), sum = histogram_sum(histogram);

    if (total == 0)
        return;
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
        buf_printf(out, "%s_bucket{%s,le=\"%s\"} %" PRIu64 "\n", name, labels, bounds[i].text,
                   histogram_at_most(histogram, bounds[i].ns));
    buf_printf(out, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", name, labels, total);
    buf_printf(out, "%s_sum{%s} %" PRIu64 ".%09" PRIu64 "\n", name, labels, sum / 1000000000,
               sum % 1000000000);
    buf_printf(out, "%s_count{%s} %" PRIu64 "\n", name, labels, total);
}

static void write_row(const struct stats_row *row, void *context)
{
    struct page *page = context;

    write_labels(&page->labels, row);
    for (size_t i = 0; i < COUNTER_METRICS; i++) {
        uint64_t value;
        memcpy(&value, (const char *)row + counter_metrics[i].offset, sizeof value);
        buf_printf(&page->counters[i], "%s{%s} %" PRIu64 "\n", counter_metrics[i].name,
                   buf_text(&page->labels), value);
    }
    for (int i = 0; i < FAILURE_COUNT; i++) {
        if (row->failed[i])
            buf_printf(&page->failed, "%s{%s,reason=\"%s\"} %" PRIu64 "\n", failed_metric.name,
                       buf_text(&page->labels), stats_failure_names[i], row->failed[i]);
    }
    for (int i = 0; i < STATS_LAYERS; i++) {
        if (row->layer[i])
            buf_printf(&page->layers, "%s{%s,record_layer=\"%s\"} %" PRIu64 "\n", layer_metric.name,
                       buf_text(&page->labels), stats_layer_names[i], row->layer[i]);
    }
    for (int i = 0; i < STATS_PASSED; i++) {
        if (row->passed[i])
            buf_printf(&page->passed, "%s{%s,passed=\"%s\"} %" PRIu64 "\n", passed_metric.name,
                       buf_text(&page->labels), stats_passed_names[i], row->passed[i]);
    }
    for (int i = 0; i < LATENCY_COUNT; i++)
        write_latency(page, i, &row->latency[i]);
}

static void flush(struct buf *out, const struct metric *metric, struct buf *samples)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name, metric->type);
    buf_append(out, buf_text(samples), samples->length);
    out->failed |= samples->failed;
    buf_free(samples);
}

void stats_write_prometheus(const char *runtime_dir, struct buf *out)
{
    struct page page;

    memset(&page, 0, sizeof page);
    (void)stats_each(runtime_dir, write_row, &page); /* none yet: metrics without samples */
    for (size_t i = 0; i < COUNTER_METRICS; i++)
        flush(out, &counter_metrics[i], &page.counters[i]);
    flush(out, &failed_metric, &page.failed);
    flush(out, &layer_metric, &page.layers);
    flush(out, &passed_metric, &page.passed);
    for (int i = 0; i < LATENCY_COUNT; i++)
        flush(out, &latency_metrics[i], &page.latencies[i]);
    out->failed |= page.labels.failed;
    buf_free(&page.labels);
}
