/*
 * The hooks under their libc names. Each is defined as hook_NAME; the assembler label gives it the exported name, which keeps
 * libc's own declarations (nonnull attributes, fortified inlines) out of the way.
 */
#ifndef MESHSHIM_EXPORT_H
#define MESHSHIM_EXPORT_H

#include <sys/syscall.h>

#include "base/libc.h"

#define SYM(ret, name, params, args, number)                                                                 \
    ret hook_##name params __asm__(#name) __attribute__((visibility("default")));
#define SYM_VARIADIC(ret, name, params)                                                                      \
    ret hook_##name params __asm__(#name) __attribute__((visibility("default")));
#include "base/symbols.def"
#undef SYM

#endif
