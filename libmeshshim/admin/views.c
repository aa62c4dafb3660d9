/* See views.h. */
#include "admin/views.h"

#include <time.h>

#include "base/banned.h"
#include "base/clock.h"
#include "conn/conn.h"
#include "conn/mesh.h"
#include "conn/stream/stream.h"
#include "policy/config.h"
#include "stats/json.h"
#include "tls/aead.h"
#include "tls/identity.h"
#include "tls/ktls.h"

void view_config(struct buf *out)
{
    struct snapshot *snapshot = mesh_snapshot();
    if (snapshot)
        config_write_json(snapshot, out);
    else
        buf_puts(out, "{\"error\": \"no valid configuration is loaded\"}");
    snapshot_unref(snapshot);
}

static const char *const state_names[] = { "free",    "fresh",     "listening", "connecting",
                                           "arrived", "handshake", "open",      "failed" };

/* Out of the family's memory, where it may have lost its end. */
static void add_name(struct json_stream *json, const char *key, const char *name, size_t room)
{
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)room - 1, name);
    json_add_string(json, key, text);
}

/* Sent or received with the keys of the moment; the kernel counts its own. */
static uint64_t records(int fd, int name, const struct keys *keys, bool kernel)
{
    uint64_t seq = keys->seq;
    if (kernel)
        ktls_sequence(fd, name, keys, &seq);
    return seq;
}

/* Under the connection's lock: it cannot end meanwhile. */
static void add_connection(struct json_stream *json, struct conn *conn)
{
    enum conn_state state = conn_state(conn);
    int fd = atomic_load(&conn->fd);
    json_begin_object(json, NULL);
    json_add_uint(json, "fd", (uint64_t)fd);
    json_add_string(json, "state", state_names[state]);
    if (state == CONN_LISTENING)
        json_add_uint(json, "port", conn->port);
    if (state == CONN_OPEN) {
        const struct about *about = &conn->shared->about;
        json_add_string(json, "direction", conn->shared->inbound ? "inbound" : "outbound");
        add_name(json, "service", about->service, sizeof about->service);
        add_name(json, "peer", about->peer, sizeof about->peer);
        json_add_string(json, "security", "mutual_tls");
        json_add_string(json, "record_layer", stats_layer_names[stream_layer(conn)]);
        json_add_uint(json, "records_sent",
                      records(fd, TLS_TX, &conn->shared->tx.keys, conn->shared->tx.kernel));
        json_add_uint(json, "records_received",
                      records(fd, TLS_RX, &conn->shared->rx.keys, conn->shared->rx.kernel));
        json_add_uint(json, "age_ms", (uint64_t)clock_ms() - (uint64_t)about->opened_ms);
        add_name(json, "address", about->address, sizeof about->address);
    }
    json_end_object(json);
}

static void each(struct conn *conn, void *context)
{
    if (lock_try(&conn->steps) != LOCK_TAKEN)
        return;
    if (conn_state(conn) != CONN_FREE && conn_state(conn) != CONN_FRESH && !atomic_load(&conn->closing) &&
        conn->fds > 0)
        add_connection(context, conn);
    lock_release(&conn->steps);
    if (atomic_load(&conn->closing))
        conn_settle(conn);
}

void view_connections(struct buf *out)
{
    struct json_stream json = json_stream_to(out);
    json_begin_object(&json, NULL);
    json_add_string(&json, "aead", aead_implementation());
    json_begin_array(&json, "connections");
    conn_each(each, &json);
    json_end_array(&json);
    json_end_object(&json);
}

static void add_date(struct json_stream *json, const char *key, int64_t seconds)
{
    time_t when = (time_t)seconds;
    struct tm date;
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&when, &date));
    json_add_string(json, key, text);
}

void view_identity(struct buf *out)
{
    struct snapshot *snapshot = mesh_snapshot();
    struct buf why = BUF_INIT;
    struct identity *identity = mesh_identity(&why);
    struct json_stream json = json_stream_to(out);
    json_begin_object(&json, NULL);
    if (snapshot) {
        const struct workload *workload = snapshot_workload(snapshot);
        json_add_string(&json, "spiffe_id", workload->spiffe_id);
        json_add_string(&json, "trust_domain", workload->trust_domain);
        json_add_string(&json, "certificate", workload->certificate.path ? workload->certificate.path : "");
    }
    json_add_bool(&json, "usable", identity != NULL);
    if (identity)
        add_date(&json, "not_after", identity_not_after(identity));
    else
        json_add_string(&json, "error", buf_text(&why));
    json_end_object(&json);
    identity_unref(identity);
    snapshot_unref(snapshot);
    buf_free(&why);
}

void view_watched(void (*add)(const char *path, void *context), void *context)
{
    struct snapshot *snapshot = mesh_snapshot();
    add(mesh_config_path(), context);
    if (snapshot) {
        const struct workload *w = snapshot_workload(snapshot);
        const struct pem_file *const files[] = { &w->certificate, &w->private_key, &w->trust_bundle };
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
            if (files[i]->path)
                add(files[i]->path, context);
    }
    snapshot_unref(snapshot);
}
