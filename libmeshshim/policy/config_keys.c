/* See config_keys.h and config_keys.def. */
#include "policy/config_keys.h"

#include "base/banned.h"
#include "policy/config.h"
#include "policy/snapshot_parts.h"

const struct config_key config_keys[] = {
#define KEY(kind, section, name, parser, offset, type, fallback, help)                                       \
    { section, name, type, fallback, help },
#include "policy/config_keys.def"
};
const size_t config_key_count = sizeof config_keys / sizeof *config_keys;

const struct key_rule key_rules[] = {
#define KEY(kind, section, name, parser, offset, type, fallback, help)                                       \
    { SECTION_##kind, value_##parser, offset },
#include "policy/config_keys.def"
};

static const struct {
    const char *word, *heading;
} sections[] = {
    [SECTION_WORKLOAD] = { "workload", "[workload]" },
    [SECTION_INBOUND] = { "inbound", "[inbound] or [inbound PORT]" },
    [SECTION_SERVICE] = { "service", "[service NAME]" },
};

const char *section_word(enum section_kind kind)
{
    return sections[kind].word;
}

const char *section_heading(enum section_kind kind)
{
    return sections[kind].heading;
}

enum section_kind section_kind_of(const char *word)
{
    enum section_kind kind = SECTION_WORKLOAD;
    while (kind != SECTION_UNKNOWN && strcmp(sections[kind].word, word))
        kind++;
    return kind;
}

size_t key_find(enum section_kind section, const char *name)
{
    for (size_t i = 0; i < config_key_count; i++)
        if (key_rules[i].section == section && !strcmp(config_keys[i].name, name))
            return i;
    return KEY_UNKNOWN;
}

void keys_set_defaults(enum section_kind section, void *target, struct problems *problems)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const char *fallback = config_keys[i].fallback;
        if (key_rules[i].section != section || *fallback == '(')
            continue;
        struct piece piece = { 0, fallback };
        struct value value = {
            .key = config_keys[i].name, .pieces = &piece, .count = 1, .problems = problems
        };
        key_rules[i].parse(&value, (char *)target + key_rules[i].offset);
    }
}
