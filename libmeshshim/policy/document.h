/* mesh.ini as sections of entries, each with its line: what inih gives, checked for shape but not for
 * meaning. */
#ifndef MESHSHIM_DOCUMENT_H
#define MESHSHIM_DOCUMENT_H

#include <stdint.h>

#include "policy/config_keys.h"

#define SERVICE_NAME_MOST 63

struct entry {
    size_t key;           /* into config_keys */
    struct piece *pieces; /* owned, their texts too */
    size_t count;
};

struct section {
    enum section_kind kind;
    unsigned line;
    uint16_t port;                    /* [inbound PORT]; 0: [inbound] */
    char name[SERVICE_NAME_MOST + 1]; /* [service NAME] */
    bool broken;                      /* told already; its values are still looked at */
    struct entry *entries;
    size_t count;
};

struct document {
    struct section *sections;
    size_t count;
};

/* Tells what cannot be read; what can be is in the document all the same. The caller frees it in any case. */
void document_parse(struct document *document, const char *text, size_t length, struct problems *problems);
void document_free(struct document *document);

#endif
