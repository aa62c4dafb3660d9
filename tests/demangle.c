/*
 * A function that the run-time libraries of the sanitizers look for while libc's setlocale holds its lock. Where nobody has it, libc words
 * that error in the language of the locale, which takes the lock once more and leaves it broken: curl and many others hang.
 */
#include <stddef.h>

char *swift_demangle(const char *name, size_t length, char *output, size_t *room, unsigned flags);

char *swift_demangle(const char *name, size_t length, char *output, size_t *room, unsigned flags)
{
    (void)name, (void)length, (void)output, (void)room, (void)flags;
    return NULL;
}
