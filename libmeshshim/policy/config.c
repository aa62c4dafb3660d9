/* See config.h. */
#include "policy/config.h"

#include <errno.h>

#include "base/banned.h"
#include "policy/config_build.h"
#include "policy/pem.h"

#define CONFIG_DEFAULT "/etc/meshshim/mesh.ini"
#define CONFIG_MOST    (16u << 20)

const char *config_path(bool *is_explicit)
{
    const char *path = secure_getenv("MESHSHIM_CONFIG");
    *is_explicit = path && *path;
    return *is_explicit ? path : CONFIG_DEFAULT;
}

/* The directory of `path`, malloc'ed; NULL: the current one, or no memory. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return NULL;
    return slash == path ? strdup("/.") : strndup(path, (size_t)(slash - path));
}

struct snapshot *config_parse(const char *path, const char *text, size_t length, struct buf *problems_out)
{
    struct problems problems = { .path = path };
    struct document document = { NULL, 0 };
    struct snapshot *snapshot = snapshot_new(path);
    char *directory = directory_of(path);

    problems.no_memory = !snapshot || (!directory && strchr(path, '/'));
    document_parse(&document, text, length, &problems);
    if (snapshot)
        config_build(snapshot, &document, directory, &problems);
    document_free(&document);
    free(directory);
    if (problems_any(&problems)) {
        problems_tell(&problems, problems_out);
        snapshot_unref(snapshot);
        return NULL;
    }
    pem_read(&snapshot->workload.certificate, false);
    pem_read(&snapshot->workload.private_key, true);
    pem_read(&snapshot->workload.trust_bundle, false);
    return snapshot;
}

static const char *reason_of(int error, char *room, size_t size)
{
    return error == EINVAL ? "it is no regular file" : strerror_r(error, room, size);
}

struct snapshot *config_load(const char *path, struct buf *problems)
{
    char *text, room[128];
    size_t length;
    struct snapshot *snapshot;
    int error = regular_file_read(path, CONFIG_MOST, &text, &length);

    if (error) {
        buf_printf(problems,
                   "%s: cannot be read (%s); expected a configuration file there, or another one in "
                   "MESHSHIM_CONFIG\n",
                   path, reason_of(error, room, sizeof room));
        return NULL;
    }
    snapshot = config_parse(path, text, length, problems);
    free(text);
    return snapshot;
}
