/* The line that opens a section: [workload], [inbound], [inbound PORT], [service NAME]. */
#ifndef MESHSHIM_HEADING_H
#define MESHSHIM_HEADING_H

#include "policy/document.h"

/* Whether a line, without its leading blanks, is all in brackets ("[fd00::1]:80" is not). */
bool heading_is_whole(const char *line, size_t length);
/* Reads `[kind argument]` into a section; what is wrong with it is told, and it is broken or of kind
 * SECTION_UNKNOWN. */
void heading_parse(const char *line, size_t length, unsigned number, struct section *section,
                   struct problems *problems);

#endif
