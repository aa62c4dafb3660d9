/* Calls on a stream work on what stands in for it: made from the table, but for those with "..." in their prototype. */
#include "base/banned.h"
#include "hook/entry.h"
#include "hook/stdio.h"

#define SYM(ret, name, params, args, number)
#define SYM_STREAM(ret, name, params, args)                                                                  \
    ret hook_##name params                                                                                   \
    {                                                                                                        \
        file = stdio_of(file);                                                                               \
        return libc.name args;                                                                               \
    }
#include "base/symbols.def"
#undef SYM

/* The same call with its arguments in a list. */
#define WITH_LIST(format, call)                                                                              \
    do {                                                                                                     \
        va_list args;                                                                                        \
        int n;                                                                                               \
        va_start(args, format);                                                                              \
        n = call;                                                                                            \
        va_end(args);                                                                                        \
        return n;                                                                                            \
    } while (0)

int hook_fprintf(FILE *file, const char *format, ...)
{
    WITH_LIST(format, hook_vfprintf(file, format, args));
}

int hook___fprintf_chk(FILE *file, int flag, const char *format, ...)
{
    WITH_LIST(format, hook___vfprintf_chk(file, flag, format, args));
}

int hook_fwprintf(FILE *file, const wchar_t *format, ...)
{
    WITH_LIST(format, hook_vfwprintf(file, format, args));
}

int hook___fwprintf_chk(FILE *file, int flag, const wchar_t *format, ...)
{
    WITH_LIST(format, hook___vfwprintf_chk(file, flag, format, args));
}

int hook_fscanf(FILE *file, const char *format, ...)
{
    WITH_LIST(format, hook_vfscanf(file, format, args));
}

int hook___isoc99_fscanf(FILE *file, const char *format, ...)
{
    WITH_LIST(format, hook___isoc99_vfscanf(file, format, args));
}

int hook_fwscanf(FILE *file, const wchar_t *format, ...)
{
    WITH_LIST(format, hook_vfwscanf(file, format, args));
}

int hook___isoc99_fwscanf(FILE *file, const wchar_t *format, ...)
{
    WITH_LIST(format, hook___isoc99_vfwscanf(file, format, args));
}
