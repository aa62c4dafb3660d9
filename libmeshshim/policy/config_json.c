/* The configuration in force as JSON, for /config and meshctl. The keys are mesh.ini's, durations in
 * milliseconds. */
#include "policy/config.h"

#include "base/banned.h"
#include "policy/snapshot_parts.h"

/* A streaming writer: it knows where a comma belongs. */
struct json {
    struct buf *out;
    bool begun; /* something stands before, on this level */
};

/* The length of the UTF-8 character at `at`, 0 where there is none. */
static size_t utf8_length(const unsigned char *at)
{
    size_t length = at[0] < 0x80                    ? 1
                    : at[0] >= 0xc2 && at[0] < 0xe0 ? 2
                    : at[0] < 0xe0                  ? 0
                    : at[0] < 0xf0                  ? 3
                                                    : 4;
    if (at[0] > 0xf4 || (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

/* A path may hold any byte; one that is no UTF-8 stands as the character of its number, so that this stays
 * JSON. */
static void put_string(struct buf *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    buf_puts(out, "\"");
    while (*at) {
        size_t length = utf8_length(at);
        if (length == 0 || *at < ' ' || *at == '"' || *at == '\\') {
            buf_printf(out, "\\u%04x", *at++);
            continue;
        }
        buf_append(out, at, length);
        at += length;
    }
    buf_puts(out, "\"");
}

static void next(struct json *json, const char *key)
{
    buf_puts(json->out, json->begun ? "," : "");
    json->begun = true;
    if (!key)
        return;
    put_string(json->out, key);
    buf_puts(json->out, ":");
}

static struct json open_level(struct json *json, const char *key, const char *bracket)
{
    next(json, key);
    buf_puts(json->out, bracket);
    return (struct json){ json->out, false };
}

static void put_text(struct json *json, const char *key, const char *text)
{
    next(json, key);
    if (text)
        put_string(json->out, text);
    else
        buf_puts(json->out, "null");
}

static void put_number(struct json *json, const char *key, int64_t number)
{
    next(json, key);
    buf_printf(json->out, "%lld", (long long)number);
}

static void put_flag(struct json *json, const char *key, bool flag)
{
    next(json, key);
    buf_puts(json->out, flag ? "true" : "false");
}

/* yes and no are what they were before there was a third. */
static void put_resumption(struct json *json, enum session_resumption resumption)
{
    if (resumption == RESUMPTION_WITHOUT_FORWARD_SECRECY)
        put_text(json, "session_resumption", "without_forward_secrecy");
    else
        put_flag(json, "session_resumption", resumption == RESUMPTION_YES);
}

/* 0 stands for any port. */
static void put_port(struct json *json, uint16_t port)
{
    if (port)
        put_number(json, "port", port);
    else
        put_text(json, "port", NULL);
}

static const char *const mtls_words[] = { "strict", "permissive", "off" };
static const char *const unmeshable_words[] = { "refuse", "warn" };
static const char *const record_layer_words[] = { "auto", "user", "kernel" };
static const char *const protocol_words[] = { "tcp", "http" };
static const char *const balancer_words[] = { "least_request", "round_robin", "random", "peak_ewma",
                                              "ring_hash" };

static void put_identities(struct json *json, const char *key, const struct identity_list *list)
{
    struct json items = open_level(json, key, "[");
    for (size_t i = 0; i < list->count; i++)
        put_text(&items, NULL, list->patterns[i]);
    buf_puts(json->out, "]");
}

static void put_workload(struct json *json, const struct workload *workload)
{
    struct json keys = open_level(json, "workload", "{");
    put_text(&keys, "name", workload->name);
    put_text(&keys, "namespace", workload->namespace_);
    put_text(&keys, "trust_domain", workload->trust_domain);
    put_text(&keys, "spiffe_id", workload->spiffe_id);
    put_text(&keys, "certificate", workload->certificate.path);
    put_text(&keys, "private_key", workload->private_key.path);
    put_text(&keys, "trust_bundle", workload->trust_bundle.path);
    put_text(&keys, "runtime_dir", workload->runtime_dir);
    put_text(&keys, "unmeshable", unmeshable_words[workload->unmeshable]);
    put_text(&keys, "record_layer", record_layer_words[workload->record_layer]);
    put_flag(&keys, "keep_preload", workload->keep_preload);
    buf_puts(json->out, "}");
}

static void put_inbound(struct json *json, const struct inbound_policy *policy)
{
    struct json keys = open_level(json, NULL, "{");
    put_port(&keys, policy->port);
    put_text(&keys, "mtls", mtls_words[policy->mtls]);
    put_text(&keys, "protocol", protocol_words[policy->protocol]);
    put_identities(&keys, "allow", &policy->allow);
    put_number(&keys, "handshake_timeout_ms", policy->handshake_timeout_ms);
    put_number(&keys, "handshake_grace_ms", policy->handshake_grace_ms);
    put_resumption(&keys, policy->session_resumption);
    put_flag(&keys, "tolerate_truncation", policy->tolerate_truncation);
    buf_puts(json->out, "}");
}

static void put_hosts(struct json *json, const struct host_list *hosts)
{
    struct json items = open_level(json, "host", "[");
    for (size_t i = 0; i < hosts->count; i++) {
        struct buf text = BUF_INIT;
        host_write(&hosts->items[i], &text);
        put_text(&items, NULL, buf_text(&text));
        buf_free(&text);
    }
    buf_puts(json->out, "]");
}

static void put_service(struct json *json, const struct service_record *record)
{
    const struct service *service = &record->service;
    struct json keys = open_level(json, NULL, "{"), items;

    put_text(&keys, "name", service->name);
    put_hosts(&keys, &record->hosts);
    put_port(&keys, service->port);
    put_text(&keys, "protocol", protocol_words[service->protocol]);
    put_text(&keys, "mtls", mtls_words[service->mtls]);
    put_identities(&keys, "identity", &service->identity);
    items = open_level(&keys, "endpoints", "[");
    for (size_t i = 0; i < service->endpoint_count; i++)
        put_text(&items, NULL, service->endpoints[i].text);
    buf_puts(json->out, "]");
    put_text(&keys, "load_balancer", balancer_words[service->load_balancer]);
    put_number(&keys, "connect_timeout_ms", service->connect_timeout_ms);
    put_number(&keys, "connect_retries", service->connect_retries);
    put_number(&keys, "handshake_timeout_ms", service->handshake_timeout_ms);
    put_number(&keys, "handshake_grace_ms", service->handshake_grace_ms);
    put_resumption(&keys, service->session_resumption);
    put_flag(&keys, "tolerate_truncation", service->tolerate_truncation);
    buf_puts(json->out, "}");
}

void config_write_json(const struct snapshot *snapshot, struct buf *out)
{
    struct json top = { out, false }, keys = open_level(&top, NULL, "{"), items;

    put_text(&keys, "path", snapshot->path);
    put_workload(&keys, &snapshot->workload);
    items = open_level(&keys, "inbound", "[");
    put_inbound(&items, &snapshot->inbound);
    for (size_t i = 0; i < snapshot->port_count; i++)
        put_inbound(&items, &snapshot->ports[i]);
    buf_puts(out, "]");
    items = open_level(&keys, "services", "[");
    for (size_t i = 0; i < snapshot->service_count; i++)
        put_service(&items, &snapshot->services[i]);
    buf_puts(out, "]}");
}
