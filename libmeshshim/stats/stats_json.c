/* The body of /stats. */
#include "base/banned.h"
#include "stats/json.h"
#include "stats/stats.h"

/* Of permissive ports alone: who is not meshed yet. */
static void write_passed(struct json_stream *json, const struct stats_row *row)
{
    if (row->security == STATS_MUTUAL_TLS)
        return;
    json_begin_object(json, "passed");
    for (int i = 0; i < STATS_PASSED; i++)
        json_add_uint(json, stats_passed_names[i], row->passed[i]);
    json_end_object(json);
}

static void write_connections(struct json_stream *json, const struct stats_row *row)
{
    json_begin_object(json, "connections");
    json_add_uint(json, "opened", row->opened);
    json_add_uint(json, "active", row->active);
    json_add_uint(json, "resumed", row->resumed);
    json_begin_object(json, "failed");
    for (int i = 0; i < FAILURE_COUNT; i++) {
        if (row->failed[i])
            json_add_uint(json, stats_failure_names[i], row->failed[i]);
    }
    json_end_object(json);
    write_passed(json, row);
    json_end_object(json);
}

static void write_latency(struct json_stream *json, const char *name, const struct histogram *histogram)
{
    static const struct {
        const char *name;
        double q;
    } quantiles[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p999", 0.999 } };
    uint64_t count = histogram_total(histogram);

    json_begin_object(json, name);
    json_add_uint(json, "count", count);
    for (size_t i = 0; count && i < sizeof quantiles / sizeof quantiles[0]; i++)
        json_add_micros(json, quantiles[i].name, histogram_quantile(histogram, quantiles[i].q));
    json_end_object(json);
}

static void write_row(const struct stats_row *row, void *context)
{
    struct json_stream *json = context;

    json_begin_object(json, NULL);
    json_add_string(json, "direction", row->direction == STATS_INBOUND ? "inbound" : "outbound");
    json_add_string(json, "service", row->service);
    json_add_string(json, "peer", row->peer);
    json_add_string(json, "security", row->security == STATS_MUTUAL_TLS ? "mutual_tls" : "none");
    json_add_string(json, "workload", row->workload);
    write_connections(json, row);
    json_begin_object(json, "record_layer");
    for (int i = 0; i < STATS_LAYERS; i++) {
        if (row->layer[i])
            json_add_uint(json, stats_layer_names[i], row->layer[i]);
    }
    json_end_object(json);
    json_begin_object(json, "bytes");
    json_add_uint(json, "sent", row->sent);
    json_add_uint(json, "received", row->received);
    json_end_object(json);
    json_begin_object(json, "latency_us");
    for (int i = 0; i < LATENCY_COUNT; i++)
        write_latency(json, stats_latency_names[i], &row->latency[i]);
    json_end_object(json);
    json_end_object(json);
}

void stats_write_json(const char *runtime_dir, struct buf *out)
{
    struct json_stream json = json_stream_to(out);

    json_begin_object(&json, NULL);
    json_begin_array(&json, "entries");
    (void)stats_each(runtime_dir, write_row, &json); /* none yet: an empty list */
    json_end_array(&json);
    json_end_object(&json);
}
