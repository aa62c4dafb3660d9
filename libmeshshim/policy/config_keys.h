/* The key table as the reader of mesh.ini sees it. */
#ifndef MESHSHIM_CONFIG_KEYS_H
#define MESHSHIM_CONFIG_KEYS_H

#include "policy/value.h"

enum section_kind { SECTION_WORKLOAD, SECTION_INBOUND, SECTION_SERVICE, SECTION_UNKNOWN };

/* config_keys[i] and key_rules[i] are one key. */
struct key_rule {
    enum section_kind section;
    value_parser *parse;
    size_t offset; /* of what it fills in struct workload, inbound_policy or service_record */
};
extern const struct key_rule key_rules[];

#define KEY_UNKNOWN SIZE_MAX
/* The most keys that a kind of section has. */
#define SECTION_KEYS_MOST 32

const char *section_word(enum section_kind kind);    /* "workload" */
const char *section_heading(enum section_kind kind); /* "[service NAME]", for messages */
enum section_kind section_kind_of(const char *word); /* SECTION_UNKNOWN where there is none */
/* The index of a section's key, KEY_UNKNOWN where it has none of that name. */
size_t key_find(enum section_kind section, const char *name);
/* Fills a section's struct with the defaults of its keys. */
void keys_set_defaults(enum section_kind section, void *target, struct problems *problems);

#endif
