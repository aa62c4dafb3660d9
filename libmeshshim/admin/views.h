/* What this process knows of itself, as JSON for the admin socket. */
#ifndef MESHSHIM_VIEWS_H
#define MESHSHIM_VIEWS_H

#include "base/buf.h"

void view_config(struct buf *out);
/* Every connection that is followed: state, peer, service, security, bytes of the record layer's work. */
void view_connections(struct buf *out);
/* Who this process is, until when, and what is wrong with its files. */
void view_identity(struct buf *out);
/* The files whose change asks for a reload. */
void view_watched(void (*add)(const char *path, void *context), void *context);

#endif
