/* Counters as JSON and as Prometheus' text. */
#include "stats_seen.h"

#include <errno.h>

#include "check.h"

static void json_is_exact(void)
{
    struct buf out = BUF_INIT;
    struct counters *counters;
    struct series *series;

    CHECK(stats_open(dir, "w\"\\\n\x01\xff\xc3\xa9") == 0);
    stats_write_json(dir, &out);
    CHECK(strcmp(buf_text(&out), "{\"entries\":[]}") == 0);
    buf_free(&out);
    series = stats_series(STATS_OUTBOUND, "cache", PEER, STATS_MUTUAL_TLS);
    counters = stats_counters(series);
    stats_connection_opened(series);
    atomic_fetch_add(&counters->sent, 1234);
    atomic_fetch_add(&counters->resumed, 1);
    atomic_fetch_add(&counters->layer[STATS_LAYER_KERNEL], 3);
    atomic_fetch_add(&counters->layer[STATS_LAYER_MIXED], 1);
    atomic_fetch_add(&counters->failed[FAILURE_OWN_IDENTITY], 2);
    histogram_record(&counters->latency[LATENCY_CONNECT], 12345);
    histogram_record(&counters->latency[LATENCY_HANDSHAKE], 1234567);
    stats_write_json(dir, &out);
    CHECK(strcmp(buf_text(&out),
                 "{\"entries\":[{\"direction\":\"outbound\",\"service\":\"cache\",\"peer\":\"" PEER
                 "\",\"security\":\"mutual_tls\",\"workload\":\"w\\\"\\\\\\n\\u0001\\ufffd\xc3\xa9\","
                 "\"connections\":{\"opened\":1,\"active\":1,\"resumed\":1,\"failed\":{\"own_identity\":2}},"
                 "\"record_layer\":{\"kernel\":3,\"mixed\":1},"
                 "\"bytes\":{\"sent\":1234,\"received\":0},\"latency_us\":{"
                 "\"connect\":{\"count\":1,\"p50\":12.4,\"p90\":12.4,\"p99\":12.4,\"p999\":12.4},"
                 "\"handshake\":{\"count\":1,\"p50\":1237,\"p90\":1237,\"p99\":1237,\"p999\":1237},"
                 "\"turnaround\":{\"count\":0}}}]}") == 0);
    buf_free(&out);
}
TEST(json_is_exact)

static void has(const struct buf *text, const char *line)
{
    if (!strstr(buf_text(text), line)) {
        fprintf(stderr, "\n    no such line: %s    in:\n%s", line, buf_text(text));
        wrong = true;
    }
}

#define OUTBOUND                                                                                             \
    "{reporter=\"source\",source_principal=\"" ME                                                            \
    "\",source_workload=\"web\",source_workload_namespace=\"default\","                                      \
    "destination_principal=\"" PEER                                                                          \
    "\",destination_workload=\"cache\",destination_workload_namespace=\"default\","                          \
    "destination_service=\"ca\\\"\\\\\\nche\",destination_service_name=\"ca\\\"\\\\\\nche\",request_"        \
    "protocol=\"tcp\","                                                                                      \
    "connection_security_policy=\"mutual_tls\""
#define INBOUND                                                                                              \
    "{reporter=\"destination\",source_principal=\"unknown\",source_workload=\"unknown\","                    \
    "source_workload_namespace=\"unknown\",destination_principal=\"" ME "\",destination_workload=\"web\","   \
    "destination_workload_namespace=\"default\",destination_service=\"inbound:80\","                         \
    "destination_service_name=\"inbound:80\",request_protocol=\"tcp\",connection_security_policy=\"none\""

static void prometheus_is_istios(void)
{
    struct buf out = BUF_INIT;
    struct series *series;

    CHECK(stats_open(dir, ME) == 0);
    series = stats_series(STATS_OUTBOUND, "ca\"\\\nche", PEER, STATS_MUTUAL_TLS);
    count_once(series);
    atomic_fetch_add(&stats_counters(series)->layer[STATS_LAYER_USER], 1);
    series = stats_series(STATS_INBOUND, "inbound:80", "", STATS_NONE);
    stats_connection_opened(series);
    stats_write_prometheus(dir, &out);
    has(&out, "# HELP istio_tcp_connections_opened_total TCP connections opened.\n"
              "# TYPE istio_tcp_connections_opened_total counter\n"
              "istio_tcp_connections_opened_total" INBOUND "} 1\n"
              "istio_tcp_connections_opened_total" OUTBOUND "} 1\n"
              "# HELP istio_tcp_connections_closed_total ");
    has(&out, "istio_tcp_connections_closed_total" OUTBOUND "} 1\n");
    has(&out, "istio_tcp_sent_bytes_total" OUTBOUND "} 10\n");
    has(&out, "istio_tcp_received_bytes_total" OUTBOUND "} 20\n");
    has(&out, "# TYPE meshshim_connections_active gauge\nmeshshim_connections_active" INBOUND "} 1\n");
    has(&out, "meshshim_connections_failed_total" OUTBOUND ",reason=\"identity\"} 1\n");
    has(&out, "# TYPE meshshim_connections_record_layer_total counter\n"
              "meshshim_connections_record_layer_total" OUTBOUND ",record_layer=\"user\"} 1\n");
    has(&out, "# TYPE meshshim_connect_duration_seconds histogram\n");
    has(&out, "meshshim_connect_duration_seconds_bucket" OUTBOUND ",le=\"0.00005\"} 0\n");
    has(&out, "meshshim_connect_duration_seconds_bucket" OUTBOUND ",le=\"0.0001\"} 1\n");
    has(&out, "meshshim_connect_duration_seconds_bucket" OUTBOUND ",le=\"+Inf\"} 1\n");
    has(&out, "meshshim_connect_duration_seconds_count" OUTBOUND "} 1\n");
    has(&out, "meshshim_connect_duration_seconds_sum" OUTBOUND "} 0.0000");
    CHECK(strstr(buf_text(&out), "meshshim_connect_duration_seconds_bucket" INBOUND) == NULL);
    buf_free(&out);
}
TEST(prometheus_is_istios)

static CU_TestInfo tests[] = {
    { "JSON is exact", run_json_is_exact },
    { "Prometheus is Istio's", run_prometheus_is_istios },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return check_run("stats, text", tests);
}
