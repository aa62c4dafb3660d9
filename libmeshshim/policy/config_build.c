/* See config_build.h. */
#include "policy/config_build.h"

#include <ctype.h>

#include "base/banned.h"
#include "policy/array.h"
#include "policy/config.h"
#include "policy/runtime_dir.h"

/* What a peer's identity may be long is what its users have room for. */
#define SPIFFE_ID_MOST 255

struct build {
    struct snapshot *snapshot;
    const struct document *document;
    const char *directory;
    struct problems *problems;
};

static void read_entries(const struct build *build, const struct section *section, void *target)
{
    for (size_t i = 0; i < section->count; i++) {
        const struct entry *entry = &section->entries[i];
        struct value value = {
            config_keys[entry->key].name, NULL, entry->pieces, entry->count, build->directory, build->problems
        };
        key_rules[entry->key].parse(&value, (char *)target + key_rules[entry->key].offset);
    }
}

/* The line of a key of a section, or the section's own where it is not set. */
static unsigned line_of(const struct section *section, const char *key)
{
    for (size_t i = 0; i < section->count; i++)
        if (!strcmp(config_keys[section->entries[i].key].name, key))
            return section->entries[i].pieces[0].line;
    return section->line;
}

static bool has_key(const struct section *section, const char *key)
{
    return line_of(section, key) != section->line;
}

static const struct section *find_section(const struct document *document, enum section_kind kind)
{
    for (size_t i = 0; i < document->count; i++)
        if (document->sections[i].kind == kind && document->sections[i].port == 0)
            return &document->sections[i];
    return NULL;
}

/* --- [workload] --- */

struct override config_override_of(const char *key)
{
    struct override name;
    snprintf(name.text, sizeof name.text, "MESHSHIM_%s", strcmp(key, "name") ? key : "workload");
    for (char *at = name.text; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    return name;
}

/* A variable that is set but empty overrides nothing. None does in a program with more rights than its user.
 */
static const char *override_of(const char *key)
{
    const char *text = secure_getenv(config_override_of(key).text);
    return text && *text ? text : NULL;
}

static void read_overrides(const struct build *build, struct workload *workload)
{
    for (size_t i = 0; i < config_key_count; i++) {
        struct override name = config_override_of(config_keys[i].name);
        struct piece piece = { 0, NULL };
        struct value value = { config_keys[i].name, name.text, &piece, 1, build->directory, build->problems };
        if (key_rules[i].section != SECTION_WORKLOAD)
            continue;
        piece.text = override_of(config_keys[i].name);
        if (piece.text)
            key_rules[i].parse(&value, (char *)workload + key_rules[i].offset);
    }
}

static void read_workload(const struct build *build)
{
    struct workload *workload = &build->snapshot->workload;
    for (size_t i = 0; i < build->document->count; i++)
        if (build->document->sections[i].kind == SECTION_WORKLOAD)
            read_entries(build, &build->document->sections[i], workload);
    read_overrides(build, workload);
    if (!workload->runtime_dir && !(workload->runtime_dir = runtime_dir_default()))
        build->problems->no_memory = true;
}

/* Who asks for mutual TLS, for a message; NULL: nobody. */
static const char *who_needs_a_name(const struct snapshot *snapshot)
{
    if (snapshot->inbound.mtls != MTLS_OFF)
        return "[inbound] (strict unless it says otherwise)";
    for (size_t i = 0; i < snapshot->port_count; i++)
        if (snapshot->ports[i].mtls != MTLS_OFF)
            return section_heading(SECTION_INBOUND);
    for (size_t i = 0; i < snapshot->service_count; i++)
        if (snapshot->services[i].service.mtls != MTLS_OFF)
            return section_heading(SECTION_SERVICE);
    return NULL;
}

static void check_name(const struct build *build, const struct section *section)
{
    const char *who = who_needs_a_name(build->snapshot);
    bool given = override_of("name") || (section && has_key(section, "name"));
    if (who && !given)
        problem_at(build->problems, section ? section->line : 0,
                   "[workload] has no name, and %s asks for mutual TLS; expected \"name = NAME\" or "
                   "MESHSHIM_WORKLOAD",
                   who);
}

static void make_spiffe_id(const struct build *build, const struct section *section)
{
    struct workload *workload = &build->snapshot->workload;
    struct buf id = BUF_INIT;

    if (!workload->name || !workload->namespace_ || !workload->trust_domain)
        return;
    buf_printf(&id, "spiffe://%s/ns/%s/sa/%s", workload->trust_domain, workload->namespace_, workload->name);
    build->problems->no_memory |= id.failed;
    workload->spiffe_id = id.data;
    if (id.length > SPIFFE_ID_MOST)
        problem_at(build->problems, section ? section->line : 0,
                   "[workload] gives an identity of %zu bytes; expected at most %d in all", id.length,
                   SPIFFE_ID_MOST);
}

static void check_workload(const struct build *build)
{
    const struct section *section = find_section(build->document, SECTION_WORKLOAD);
    const char *directory = build->snapshot->workload.runtime_dir;

    check_name(build, section);
    make_spiffe_id(build, section);
    if (directory && strlen(directory) > RUNTIME_DIR_MOST)
        problem_at(
            build->problems, section ? line_of(section, "runtime_dir") : 0,
            "\"runtime_dir\" is %zu bytes long; expected at most %d, for Unix sockets' names are short",
            strlen(directory), RUNTIME_DIR_MOST);
}

/* --- [inbound] --- */

static void add_port(const struct build *build, const struct section *section)
{
    struct snapshot *snapshot = build->snapshot;
    struct inbound_policy *more = array_more(snapshot->ports, snapshot->port_count, sizeof *more);
    struct inbound_policy policy = snapshot->inbound;

    if (more)
        snapshot->ports = more;
    if (!more || !identity_list_copy(&snapshot->inbound.allow, &policy.allow)) {
        build->problems->no_memory = true;
        return;
    }
    policy.port = section->port;
    read_entries(build, section, &policy);
    more[snapshot->port_count++] = policy;
}

static int by_port(const void *a, const void *b)
{
    const struct inbound_policy *left = a, *right = b;
    return (int)left->port - (int)right->port;
}

/* The default first, wherever it stands in the file, because the ports inherit from it. */
static void read_inbound(const struct build *build)
{
    struct snapshot *snapshot = build->snapshot;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < build->document->count; i++) {
            const struct section *section = &build->document->sections[i];
            if (section->kind != SECTION_INBOUND || (section->port || section->broken) != pass)
                continue;
            if (pass == 0)
                read_entries(build, section, &snapshot->inbound);
            else
                add_port(build, section);
        }
    if (snapshot->port_count)
        qsort(snapshot->ports, snapshot->port_count, sizeof *snapshot->ports, by_port);
}

/* --- [service NAME] --- */

static const struct host *host_like(const struct host_list *list, const struct host *host)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct host *other = &list->items[i];
        if (host->name && other->name ? !strcmp(host->name, other->name)
                                      : !host->name && !other->name &&
                                            !memcmp(&host->address, &other->address, sizeof host->address))
            return other;
    }
    return host;
}

static void tell_claimed(const struct build *build, const struct service_record *record,
                         const struct host *host, uint32_t other)
{
    const struct service_record *owner = &build->snapshot->services[other];
    unsigned first = host_like(&owner->hosts, host)->line;
    struct buf text = BUF_INIT;

    host_write(host, &text);
    if (owner == record)
        problem_at(build->problems, host->line, "\"host\" has %s twice, first on line %u; expected it once",
                   QUOTE(buf_text(&text)), first);
    else if (record->service.port)
        problem_at(
            build->problems, host->line,
            "host %s with port %u belongs to [service %s] already, by line %u; expected one service for it",
            QUOTE(buf_text(&text)), record->service.port, owner->service.name, first);
    else
        problem_at(build->problems, host->line,
                   "host %s with any port belongs to [service %s] already, by line %u; expected one service "
                   "for it, or ports",
                   QUOTE(buf_text(&text)), owner->service.name, first);
    buf_free(&text);
}

static void claim_hosts(const struct build *build, uint32_t index)
{
    const struct service_record *record = &build->snapshot->services[index];
    struct match *match = &build->snapshot->match;

    for (size_t i = 0; i < record->hosts.count; i++) {
        const struct host *host = &record->hosts.items[i];
        uint32_t other;
        enum table_put put =
            host->name ? match_add_name(match, host->name, record->service.port, index, &other)
                       : match_add_address(match, &host->address, record->service.port, index, &other);
        if (put == TABLE_PRESENT)
            tell_claimed(build, record, host, other);
        build->problems->no_memory |= put == TABLE_NO_MEMORY;
    }
}

static bool add_service(const struct build *build, const struct section *section)
{
    struct snapshot *snapshot = build->snapshot;
    struct service_record *more = array_more(snapshot->services, snapshot->service_count, sizeof *more),
                          *record;

    if (!more)
        return false;
    snapshot->services = more;
    record = &more[snapshot->service_count++];
    *record = (struct service_record){ .line = section->line };
    keys_set_defaults(SECTION_SERVICE, record, build->problems);
    record->service.name = strdup(section->name);
    read_entries(build, section, record);
    if (!section->broken && !has_key(section, "host"))
        problem_at(build->problems, section->line,
                   "[service %s] has no host; expected \"host = NAME, ADDRESS, ...\"", section->name);
    return record->service.name != NULL;
}

static void read_services(const struct build *build)
{
    for (size_t i = 0; i < build->document->count; i++) {
        const struct section *section = &build->document->sections[i];
        if (section->kind != SECTION_SERVICE)
            continue;
        if (!add_service(build, section))
            build->problems->no_memory = true;
        /* A section's double would contend with it for every host; that it is a double was told. */
        else if (!section->broken)
            claim_hosts(build, (uint32_t)build->snapshot->service_count - 1);
    }
}

void config_build(struct snapshot *snapshot, const struct document *document, const char *directory,
                  struct problems *problems)
{
    struct build build = { snapshot, document, directory, problems };

    keys_set_defaults(SECTION_WORKLOAD, &snapshot->workload, problems);
    keys_set_defaults(SECTION_INBOUND, &snapshot->inbound, problems);
    read_workload(&build);
    read_inbound(&build);
    read_services(&build);
    check_workload(&build);
}
