/* Every script's prototype, from scripts.def. */
#ifndef TRACE_SCRIPTS_H
#define TRACE_SCRIPTS_H

struct side;
#define SCRIPT(name) void script_##name(struct side *s);
#include "scripts.def"
#undef SCRIPT
void script_cancel_send(struct side *s); /* cancel.c: written, and not in the list yet */

#endif
