/* mesh.ini, read by inih, checked whole, turned into a snapshot. The only reader of configuration. */
#ifndef MESHSHIM_CONFIG_H
#define MESHSHIM_CONFIG_H

#include "base/buf.h"
#include "policy/snapshot.h"

/*
 * Reads `path` and the environment's overrides (MESHSHIM_WORKLOAD, …). Returns a snapshot with one
 * reference, or NULL with every problem in `problems`, a line each: "file:line: what is wrong, what was
 * expected". PEM files are read but not judged here (tls/identity does); a missing one is not an error of
 * the configuration (the connection will say so).
 */
struct snapshot *config_load(const char *path, struct buf *problems);
/* The same from memory, for tests and fuzzing. */
struct snapshot *config_parse(const char *path, const char *text, size_t length, struct buf *problems);

/* Where the configuration is: MESHSHIM_CONFIG, else /etc/meshshim/mesh.ini; *explicit says which. */
const char *config_path(bool *is_explicit);

/* Every section and key with type, default and one line of help, for /config, meshctl help and the documents. */
struct config_key {
    const char *section, *name, *type, *fallback, *help;
};
extern const struct config_key config_keys[];
extern const size_t config_key_count;

/* Appends the configuration in force as JSON (no PEM text). */
void config_write_json(const struct snapshot *snapshot, struct buf *out);

#endif
