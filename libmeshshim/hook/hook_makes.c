/* What makes descriptors: each hook is the real call, and a look at the number that came out of it. */
#include "base/banned.h"
#include "conn/family/slots.h"
#include "conn/mesh.h"
#include "conn/openfds.h"
#include "hook/entry.h"

static inline FILE *new_file(FILE *file)
{
    if (file)
        entry_new(fileno(file));
    return file;
}

static inline DIR *new_directory(DIR *directory)
{
    if (directory)
        entry_new(dirfd(directory));
    return directory;
}

static inline int new_pair(int result, const int *ends)
{
    if (result == 0) {
        entry_new(ends[0]);
        entry_new(ends[1]);
        /* Before vfork, which is not seen: connections may be sent to the child, or by it to us, who must be found. */
        if (mesh_state != MESH_OFF && openfd_kind(ends[0]) == OPENFD_UNIX && family_begin()) {
            slots_own();
            slots_note_channel();
        }
    }
    return result;
}

#define SYM(ret, name, params, args, number)
#define SYM_MAKES(ret, name, params, args, number)                                                           \
    ret hook_##name params                                                                                   \
    {                                                                                                        \
        return _Generic((ret)0, int : entry_new, FILE * : new_file, DIR * : new_directory)(libc.name args);  \
    }
#define SYM_PAIR(ret, name, pair, params, args, number)                                                      \
    ret hook_##name params                                                                                   \
    {                                                                                                        \
        return new_pair(libc.name args, pair);                                                               \
    }
#include "base/symbols.def"
#undef SYM
