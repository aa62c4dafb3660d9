/* What can be had of OpenSSL's key schedule while it passes by: see schedule.c. */
#ifndef MESHSHIM_SCHEDULE_H
#define MESHSHIM_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "tls/hkdf.h"

/* The resumption master secret (RFC 8446 §7.1), which OpenSSL's key log has not. */
struct schedule_catch {
    uint8_t secret[HKDF_LONGEST];
    size_t length; /* 0: it has not come, or OpenSSL is not linked in statically */
};

/* Into what this thread's handshake puts it from here on; NULL: nowhere. */
void schedule_catch(struct schedule_catch *into);

#endif
