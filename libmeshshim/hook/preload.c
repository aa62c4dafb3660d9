/* See preload.h. */
#include "hook/preload.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"
#include "conn/mesh.h"

enum { REMEMBERED = 16 };

#define PRELOAD "LD_PRELOAD="
#define CONFIG  "MESHSHIM_CONFIG="

static char *remembered[REMEMBERED + 1]; /* "NAME=value" of LD_PRELOAD and everything of ours */
static size_t remembered_count;
static char *preloaded;      /* the first of them */
static const char *own_name; /* how this library is called in it */

static bool is_preload(const char *entry)
{
    return strncmp(entry, PRELOAD, sizeof PRELOAD - 1) == 0;
}

static bool is_ours(const char *entry)
{
    return is_preload(entry) || strncmp(entry, "MESHSHIM_", 9) == 0;
}

/* The list names this library, by whatever path. */
static bool names_us(const char *list)
{
    return own_name && strstr(list, own_name);
}

/* Before this library, or without it. */
static bool names_libc_first(const char *list)
{
    const char *us = own_name ? strstr(list, own_name) : NULL, *libc_ = strstr(list, "libc.so");
    return libc_ && (!us || libc_ < us);
}

static const char *find_own_name(void)
{
    Dl_info info;
    const char *slash;
    if (!dladdr((void *)(uintptr_t)preload_remember, &info) || !info.dli_fname)
        return NULL;
    slash = strrchr(info.dli_fname, '/');
    return strdup(slash ? slash + 1 : info.dli_fname);
}

void preload_remember(void)
{
    own_name = find_own_name();
    for (char **entry = environ; entry && *entry && remembered_count < REMEMBERED; entry++) {
        char *copy = is_ours(*entry) ? strdup(*entry) : NULL;
        if (!copy)
            continue;
        remembered[remembered_count++] = copy;
        if (is_preload(copy) && names_us(copy))
            preloaded = copy;
    }
}

static size_t name_length(const char *entry)
{
    return strcspn(entry, "=") + 1;
}

static char *find(char *const envp[], const char *name, size_t length)
{
    char *const *entry = envp;
    while (entry && *entry && strncmp(*entry, name, length) != 0)
        entry++;
    return entry ? *entry : NULL;
}

/* The loader takes the last one where there are several, as getenv takes the first. */
static char *find_preload(char *const envp[])
{
    char *last = NULL;
    for (char *const *entry = envp; entry && *entry; entry++)
        if (is_preload(*entry))
            last = *entry;
    return last;
}

static bool is_disabled(char *const envp[])
{
    const char *disabled = find(envp, "MESHSHIM_DISABLE=", sizeof "MESHSHIM_DISABLE=" - 1);
    return disabled && strcmp(disabled, "MESHSHIM_DISABLE=1") == 0;
}

/* Where this process was not told by its environment, the next one is not either. */
static bool has_config(char *const envp[])
{
    return !find(remembered, CONFIG, sizeof CONFIG - 1) || find(envp, CONFIG, sizeof CONFIG - 1);
}

static bool has_preload(char *const envp[])
{
    const char *list = find_preload(envp);
    return !preloaded || (list && names_us(list) && !names_libc_first(list));
}

/* The loader passes over what it does not find, in a chroot for example, or what this user cannot read. */
static bool is_there(const char *list)
{
    char path[PATH_MAX];
    while (*list) {
        size_t n = strcspn(list, ": ");
        if (snprintf(path, sizeof path, "%.*s", (int)n, list) < PATH_MAX && names_us(path))
            return !strchr(path, '/') || strchr(path, '$') ||
                   faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0;
        list += n + (list[n] != '\0');
    }
    return false;
}

static bool is_complete(char *const envp[])
{
    return has_preload(envp) && has_config(envp) && !is_disabled(envp);
}

bool preload_reaches(char *const envp[])
{
    return is_complete(envp) && (!preloaded || is_there(find_preload(envp) + sizeof PRELOAD - 1));
}

static bool is_wanted(void)
{
    struct snapshot *snapshot = mesh_snapshot();
    bool wanted = !snapshot || snapshot_workload(snapshot)->keep_preload;
    snapshot_unref(snapshot);
    return wanted;
}

/* "LD_PRELOAD=theirs:ours"; behind libc nothing would come here. */
static char *join(struct preload *preload, const char *theirs)
{
    const char *ours = preloaded + sizeof PRELOAD - 1;
    size_t room = sizeof PRELOAD + strlen(theirs) + strlen(ours) + 2;
    char *text = preload->joined;
    if (room > sizeof preload->joined)
        text = preload->text = malloc(room);
    if (text && names_libc_first(theirs))
        snprintf(text, room, PRELOAD "%s:%s", ours, theirs + sizeof PRELOAD - 1);
    else if (text)
        snprintf(text, room, "%s:%s", theirs, ours);
    return text;
}

static size_t count(char *const envp[])
{
    size_t n = 0;
    while (envp && envp[n])
        n++;
    return n;
}

char **preload_environment(struct preload *preload, char *const envp[])
{
    char *theirs = find_preload(envp), *joined = theirs, **out = preload->own;
    size_t n = 0, room = count(envp) + remembered_count + 2;
    preload->list = NULL;
    preload->text = NULL;
    if (is_complete(envp) || is_disabled(envp) || !is_wanted())
        return (char **)(uintptr_t)envp;
    if (room > PRELOAD_ROOM)
        out = preload->list = malloc(room * sizeof *out);
    if (!has_preload(envp))
        joined = theirs && theirs[sizeof PRELOAD - 1] ? join(preload, theirs) : preloaded;
    if (!out)
        return (char **)(uintptr_t)envp;
    for (char *const *entry = envp; entry && *entry; entry++)
        if (!is_preload(*entry))
            out[n++] = *entry;
    if (joined)
        out[n++] = joined;
    for (size_t i = 0; i < remembered_count; i++)
        if (remembered[i] != preloaded && !find(envp, remembered[i], name_length(remembered[i])))
            out[n++] = remembered[i];
    out[n] = NULL;
    return out;
}

void preload_free(struct preload *preload)
{
    free(preload->list);
    free(preload->text);
}
