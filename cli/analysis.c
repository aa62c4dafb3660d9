/* See analysis.h. */
#include "analysis.h"

#include <netinet/in.h>
#include <sys/stat.h>

#include "base/file.h"
#include "ini_line.h"
#include "policy/address.h"
#include "policy/config.h"
#include "policy/overlaps.h"
#include "proof.h"

#include "base/banned.h"

/* What a rule looks at. */
struct subject {
    struct findings_list *list;
    const struct snapshot *snapshot;
    struct ini_lines lines; /* of the file */
};

/* A rule's view of one section with inbound or outbound policy. */
struct section_view {
    char name[160]; /* "inbound 8080", "service payments" */
    const char *identity_key;
    const struct identity_list *identities;
    int64_t handshake_timeout_ms, handshake_grace_ms;
    bool tolerate_truncation;
    enum protocol protocol;
};

static unsigned line_of(const struct subject *s, const char *section, const char *key)
{
    return ini_line(&s->lines, section, key);
}

static void judge_identities(const struct subject *s, const struct section_view *view)
{
    const char *domain = snapshot_workload(s->snapshot)->trust_domain;
    unsigned line = line_of(s, view->name, view->identity_key);

    for (size_t i = 0; i < view->identities->count; i++) {
        const char *pattern = view->identities->patterns[i];
        size_t scheme = strlen("spiffe://"), length = strlen(domain);
        if (strcmp(pattern, "*/*") == 0)
            finding_add(
                s->list, MSH0123, line,
                "[%s] %s has */*, which every identity of the trust domain matches; name who is meant",
                view->name, view->identity_key);
        else if (strncmp(pattern, "spiffe://", scheme) == 0 &&
                 (strncmp(pattern + scheme, domain, length) != 0 || pattern[scheme + length] != '/'))
            finding_add(s->list, MSH0122, line,
                        "[%s] %s has %s, not of the trust domain %s; see that trust_bundle holds its root",
                        view->name, view->identity_key, pattern, domain);
    }
}

/* What inbound and service sections have in common. */
static void judge_section(const struct subject *s, const struct section_view *view)
{
    judge_identities(s, view);
    if (view->handshake_timeout_ms <= view->handshake_grace_ms)
        finding_add(s->list, MSH0141, line_of(s, view->name, "handshake_timeout"),
                    "[%s] handshake_timeout (%lld ms) is not longer than handshake_grace (%lld ms); raise it",
                    view->name, (long long)view->handshake_timeout_ms, (long long)view->handshake_grace_ms);
    if (view->tolerate_truncation)
        finding_add(s->list, MSH0151, line_of(s, view->name, "tolerate_truncation"),
                    "[%s] tolerate_truncation is on, so an answer that was cut short looks whole; turn it on "
                    "only for "
                    "a peer that never sends close_notify",
                    view->name);
    if (view->protocol == PROTOCOL_HTTP)
        finding_add(s->list, MSH0161, line_of(s, view->name, "protocol"),
                    "[%s] protocol is http, which has no effect yet: requests are not looked into, and the "
                    "connection is protected and counted as with tcp",
                    view->name);
}

/* A port's section inherits from [inbound]: what it does not say itself is told there, once. */
static bool says(const struct subject *s, const char *section, const char *key)
{
    return line_of(s, section, key) != line_of(s, section, NULL);
}

static void judge_inbound(const struct subject *s, const struct inbound_policy *inbound)
{
    struct section_view view = { "inbound",
                                 "allow",
                                 &inbound->allow,
                                 inbound->handshake_timeout_ms,
                                 inbound->handshake_grace_ms,
                                 inbound->tolerate_truncation,
                                 inbound->protocol };
    struct identity_list none = { NULL, 0 };
    unsigned line;

    if (inbound->port)
        snprintf(view.name, sizeof view.name, "inbound %u", inbound->port);
    line = line_of(s, view.name, "mtls");
    if (inbound->mtls == MTLS_PERMISSIVE && (!inbound->port || says(s, view.name, "mtls")))
        finding_add(
            s->list, MSH0111, line,
            "[%s] mtls is permissive, so plain text is let in; make it strict when every client is meshed",
            view.name);
    if (inbound->mtls == MTLS_OFF && (!inbound->port || says(s, view.name, "mtls")))
        finding_add(s->list, MSH0112, line,
                    "[%s] mtls is off, so anybody is let in; make it strict, or permissive on the way there",
                    view.name);
    if (inbound->mtls == MTLS_OFF)
        return; /* nothing of what follows has an effect */
    if (inbound->port && !says(s, view.name, "allow"))
        view.identities = &none;
    if (inbound->port && !says(s, view.name, "tolerate_truncation"))
        view.tolerate_truncation = false;
    if (inbound->port && !says(s, view.name, "protocol"))
        view.protocol = PROTOCOL_TCP;
    judge_section(s, &view);
}

static bool is_local(const struct endpoint *endpoint)
{
    struct address address;
    static const unsigned char loopback6[16] = { [15] = 1 };
    if (!address_from_socket((const struct sockaddr *)&endpoint->address, endpoint->address_length, &address,
                             NULL))
        return false;
    return address.family == 4 ? address.bytes[0] == 127 : memcmp(address.bytes, loopback6, 16) == 0;
}

static void judge_endpoints(const struct subject *s, const struct service *service, const char *section)
{
    unsigned line = line_of(s, section, "endpoints");
    for (size_t i = 0; i < service->endpoint_count; i++) {
        const struct endpoint *endpoint = &service->endpoints[i];
        if (is_local(endpoint))
            finding_add(s->list, MSH0131, line,
                        "[%s] endpoint %s is this machine; is the file for this machine alone?", section,
                        endpoint->text);
    }
}

static void judge_service(const struct subject *s, const struct service *service)
{
    struct section_view view = { "",
                                 "identity",
                                 &service->identity,
                                 service->handshake_timeout_ms,
                                 service->handshake_grace_ms,
                                 service->tolerate_truncation,
                                 service->protocol };
    snprintf(view.name, sizeof view.name, "service %s", service->name);
    judge_endpoints(s, service, view.name);
    if (service->mtls == MTLS_OFF) {
        finding_add(
            s->list, MSH0113, line_of(s, view.name, "mtls"),
            "[%s] mtls is off, so what is sent there can be read; make it strict when the server is meshed",
            view.name);
        return; /* nothing of what follows has an effect */
    }
    judge_section(s, &view);
    if (service->identity.count == 0)
        finding_add(
            s->list, MSH0121, line_of(s, view.name, NULL),
            "[%s] has no identity, so any workload of %s may answer for it; add identity = NAMESPACE/NAME",
            view.name, snapshot_workload(s->snapshot)->trust_domain);
    if (service->handshake_timeout_ms < service->connect_timeout_ms)
        finding_add(s->list, MSH0142, line_of(s, view.name, "handshake_timeout"),
                    "[%s] handshake_timeout (%lld ms) is shorter than connect_timeout (%lld ms); raise it",
                    view.name, (long long)service->handshake_timeout_ms,
                    (long long)service->connect_timeout_ms);
}

static void judge_overlap(void *subject, const struct overlap *overlap)
{
    const struct subject *s = subject;
    finding_add(s->list, MSH0132, overlap->line,
                "[service %s] %s lies inside %s of [service %s]; the more specific one wins: is that meant?",
                overlap->inner_service, overlap->inner, overlap->outer, overlap->outer_service);
}

static void judge_identity_files(const struct subject *s)
{
    const struct workload *workload = snapshot_workload(s->snapshot);
    struct buf found = BUF_INIT;
    int faults = proof_examine(workload, &found);
    char *rest = found.data, *line;
    struct stat st;

    for (; (line = strsep(&rest, "\n")) != NULL; faults--) {
        if (*line)
            finding_add(s->list, faults > 0 ? MSH0201 : MSH0202, line_of(s, "workload", NULL), "%s", line);
    }
    buf_free(&found);
    if (workload->private_key.path && stat(workload->private_key.path, &st) == 0 && (st.st_mode & 077))
        finding_add(s->list, MSH0203, line_of(s, "workload", "private_key"),
                    "%s has mode %04o, so others than its owner may use it; 'chmod 600' it",
                    workload->private_key.path, (unsigned)st.st_mode & 07777);
}

static void judge_workload(const struct subject *s)
{
    if (snapshot_workload(s->snapshot)->unmeshable == UNMESHABLE_WARN)
        finding_add(s->list, MSH0114, line_of(s, "workload", "unmeshable"),
                    "[workload] unmeshable is warn, so 'meshctl run' starts in plain text what cannot be "
                    "meshed; make "
                    "it refuse when every program can");
    judge_identity_files(s);
}

static void judge_snapshot(struct subject *s)
{
    judge_inbound(s, snapshot_inbound(s->snapshot, 0));
    for (size_t i = 0; i < snapshot_inbound_count(s->snapshot); i++)
        judge_inbound(s, snapshot_inbound_at(s->snapshot, i));
    for (size_t i = 0; i < snapshot_service_count(s->snapshot); i++)
        judge_service(s, snapshot_service(s->snapshot, i));
    snapshot_each_overlap(s->snapshot, judge_overlap, s);
    judge_workload(s);
}

/* "mesh.ini:12: what is wrong" becomes line 12 and what is wrong. */
static void add_problem(struct findings_list *list, const char *problem)
{
    size_t length = strlen(list->file);
    unsigned long line = 0;
    char *end;

    if (strncmp(problem, list->file, length) == 0 && problem[length] == ':') {
        const char *number = problem + length + 1;
        line = strtoul(number, &end, 10);
        problem = end != number && *end == ':' ? end + 1 : number;
        problem += *problem == ' ';
    }
    finding_add(list, MSH0101, (unsigned)line, "%s", problem);
}

void analysis_run(struct findings_list *list)
{
    struct buf problems = BUF_INIT;
    struct snapshot *snapshot = config_load(list->file, &problems);
    struct subject s = { .list = list, .snapshot = snapshot };
    char *rest = problems.data, *line, *text = NULL;
    size_t length;

    if (file_read(list->file, 16 << 20, &text, &length) == 0)
        ini_lines_read(&s.lines, text);
    if (snapshot)
        judge_snapshot(&s);
    else
        while ((line = strsep(&rest, "\n")) != NULL)
            if (*line)
                add_problem(list, line);
    findings_sort(list);
    ini_lines_free(&s.lines);
    snapshot_unref(snapshot);
    buf_free(&problems);
    free(text);
}
