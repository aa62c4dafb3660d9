/*
 * Libraries that are loaded later. libc looks at where it was called from, for the caller's own search path and name space, so
 * it is entered by a jump that leaves the program's return address where it is.
 */
#include <dlfcn.h>

#include "base/banned.h"
#include "base/log.h"
#include "conn/mesh.h"
#include "hook/entry.h"

#ifdef __clang__
#define BY_JUMP
#else
#define BY_JUMP                                                                                              \
    __attribute__((optimize("optimize-sibling-calls"), no_sanitize("address", "thread", "undefined")))
#endif

/* A library that looks in its own dependencies first would find libc's calls there, not these. */
static inline int shallow(int mode)
{
    return mesh_state == MESH_OFF ? mode : mode & ~RTLD_DEEPBIND;
}

BY_JUMP void *hook_dlopen(const char *path, int mode)
{
    return libc.dlopen(path, shallow(mode));
}

static void tell_once(void)
{
    static _Atomic bool told;
    if (mesh_state != MESH_OFF && !atomic_exchange(&told, true))
        log_warn(
            "a library is loaded into a name space of its own (dlmopen): its connections are not meshed");
}

BY_JUMP void *hook_dlmopen(Lmid_t space, const char *path, int mode)
{
    if (space != LM_ID_BASE)
        tell_once();
    return libc.dlmopen(space, path, shallow(mode));
}
