/* From a document to a snapshot: values read, defaults and inheritance applied, sections checked against each
 * other. */
#ifndef MESHSHIM_CONFIG_BUILD_H
#define MESHSHIM_CONFIG_BUILD_H

#include "policy/document.h"
#include "policy/snapshot_parts.h"

/* Fills an empty snapshot. Usable only where no problem was told. `directory`: what relative paths are
 * relative to. */
void config_build(struct snapshot *snapshot, const struct document *document, const char *directory,
                  struct problems *problems);
/* The environment variable that overrides a key of [workload]: MESHSHIM_WORKLOAD for name,
 * MESHSHIM_NAMESPACE, …  */
struct override {
    char text[48];
};
struct override config_override_of(const char *key);

#endif
