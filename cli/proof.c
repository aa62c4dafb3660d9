/* See proof.h. */
#include "proof.h"

#include <limits.h>

#include "tls/identity.h"

#include "base/banned.h"

/* Where `ca issue` put them, if it was that. */
static void out_directory(const struct workload *workload, char *directory, size_t room)
{
    const char *path = workload->certificate.path, *slash = path ? strrchr(path, '/') : NULL;
    if (slash && slash != path && strcmp(slash, "/cert.pem") == 0)
        snprintf(directory, room, "%.*s", (int)(slash - path), path);
    else
        snprintf(directory, room, "DIR");
}

static void put_advice(const struct workload *workload, struct buf *out)
{
    char directory[PATH_MAX];
    out_directory(workload, directory, sizeof directory);
    buf_printf(out, "; 'meshctl ca issue --dir CA --workload %s/%s --out %s' makes the three files anew",
               workload->namespace_, workload->name, directory);
}

int proof_examine(const struct workload *workload, struct buf *findings)
{
    struct buf found = BUF_INIT;
    int faults = identity_examine(workload, &found), number = 0;
    char *rest = found.data, *line;

    while ((line = strsep(&rest, "\n")) != NULL) {
        if (!*line)
            continue;
        buf_puts(findings, line);
        if (++number == faults)
            put_advice(workload, findings);
        buf_puts(findings, "\n");
    }
    findings->failed |= found.failed;
    buf_free(&found);
    return faults;
}
