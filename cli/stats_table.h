/* The statistics' JSON as a table for people. */
#ifndef MESHCTL_STATS_TABLE_H
#define MESHCTL_STATS_TABLE_H

#include <stdbool.h>

#include "base/buf.h"

/* `where` is where the JSON came from, for the sentence that says that there is nothing, or that it is no JSON. */
bool stats_table_write(const struct buf *json, const char *where, struct buf *why);

#endif
