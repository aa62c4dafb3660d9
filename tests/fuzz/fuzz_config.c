/* Any bytes as a configuration: a snapshot that answers, or problems that say why not; never both, never neither. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/balance.h"
#include "policy/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void ask(const struct snapshot *snapshot)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET,
                              .sin_port = htons(80),
                              .sin_addr = { htonl(0x0a000001) } };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(80) };

    demand(snapshot_workload(snapshot)->runtime_dir && snapshot_workload(snapshot)->trust_domain);
    for (unsigned port = 0; port <= UINT16_MAX; port += 1013)
        demand(snapshot_inbound(snapshot, (uint16_t)port)->handshake_timeout_ms > 0);
    snapshot_match(snapshot, (struct sockaddr *)&v4, sizeof v4, "a");
    snapshot_match(snapshot, (struct sockaddr *)&v6, sizeof v6, NULL);
    for (size_t i = 0; i < snapshot_service_count(snapshot); i++) {
        const struct service *service = snapshot_service(snapshot, i);
        demand(service->name && *service->name && service->mtls != MTLS_PERMISSIVE &&
               service->connect_timeout_ms > 0);
        if (service->endpoint_count)
            demand(balance_pick(service, NULL, (uint64_t)i * 0x9e3779b97f4a7c15u, i, 0) <
                   service->endpoint_count);
    }
}

/* Each problem is one line that begins with the file's name. */
static void check_problems(const struct buf *problems)
{
    const char *line = buf_text(problems), *end;
    demand(*line);
    for (; *line; line = end + 1) {
        end = strchr(line, '\n');
        demand(end && !strncmp(line, "mesh.ini:", 9) && end > line + 10);
        for (const char *at = line; at < end; at++)
            demand((unsigned char)*at >= ' ' && (unsigned char)*at < 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf problems = BUF_INIT, json = BUF_INIT;
    char *text = malloc(size ? size : 1); /* an exact copy, so that a byte beyond it is seen */
    struct snapshot *snapshot;

    if (size)
        memcpy(text, data, size);
    snapshot = config_parse("mesh.ini", text, size, &problems);
    if (snapshot) {
        demand(problems.length == 0);
        ask(snapshot);
        config_write_json(snapshot, &json);
        demand(json.length > 2 && json.data[json.length - 1] == '}');
        snapshot_unref(snapshot);
    } else
        check_problems(&problems);
    buf_free(&problems);
    buf_free(&json);
    free(text);
    return 0;
}
