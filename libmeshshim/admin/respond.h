/* From a request to the whole answer. The pages are a table. */
#ifndef MESHSHIM_RESPOND_H
#define MESHSHIM_RESPOND_H

#include "admin/admin.h"
#include "admin/request.h"

void respond(const struct admin_source *source, const struct request *request, struct buf *out);
/* An error: `why` is a sentence without full stop. */
void respond_error(int status, const char *why, struct buf *out);
/* source->reload(), logged. */
bool respond_reload(const struct admin_source *source, struct buf *message);

#endif
