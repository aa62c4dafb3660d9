/* See runtime.h. */
#include "runtime.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "command.h"
#include "policy/config.h"

#include "base/banned.h"

static bool copy_directory(const struct snapshot *snapshot, char directory[PATH_MAX])
{
    int n = snprintf(directory, PATH_MAX, "%s", snapshot_workload(snapshot)->runtime_dir);
    return n > 0 && n < PATH_MAX;
}

static bool from_config(char directory[PATH_MAX])
{
    struct buf problems = BUF_INIT;
    struct snapshot *snapshot;
    bool is_explicit, found;
    const char *path = config_path(&is_explicit);

    if (!is_explicit && access(path, F_OK) != 0)
        return false;
    snapshot = config_load(path, &problems);
    found = snapshot && copy_directory(snapshot, directory);
    if (!snapshot)
        complain(
            "%s cannot be used, so the runtime directory is the default one; 'meshctl analyze %s' tells why",
            path, path);
    snapshot_unref(snapshot);
    buf_free(&problems);
    return found;
}

/* The rule for the default belongs to the configuration's reader: ask it about a configuration that says nothing. */
static bool from_default(char directory[PATH_MAX], struct buf *why)
{
    static const char nothing[] = "[workload]\nname = meshctl\n";
    struct buf problems = BUF_INIT;
    struct snapshot *snapshot = config_parse("environment", nothing, sizeof nothing - 1, &problems);
    bool found = snapshot && copy_directory(snapshot, directory);

    if (!found)
        buf_printf(why, "no runtime directory can be told (%.*s); name one with --runtime-dir",
                   (int)strcspn(buf_text(&problems), "\n"), buf_text(&problems));
    snapshot_unref(snapshot);
    buf_free(&problems);
    return found;
}

/* One that is named must be there: an empty answer would hide a slip of the pen. */
static bool from_option(const char *wanted, char directory[PATH_MAX], struct buf *why)
{
    DIR *dir = opendir(wanted);
    int error = errno;
    if (dir)
        closedir(dir);
    else if (error == ENOENT)
        buf_printf(why, "there is no directory '%s'; --runtime-dir wants the runtime_dir of meshed programs",
                   wanted);
    else
        buf_printf(why, "cannot look into %s (%s); --runtime-dir wants the runtime_dir of meshed programs%s",
                   wanted, strerror(error), error == EACCES ? ", of the same user unless you are root" : "");
    return dir && snprintf(directory, PATH_MAX, "%s", wanted) < PATH_MAX;
}

bool runtime_dir_find(const char *wanted, char directory[PATH_MAX], struct buf *why)
{
    if (wanted)
        return from_option(wanted, directory, why);
    return from_config(directory) || from_default(directory, why);
}

/* "1234.sock" */
static bool parse_name(const char *name, int *pid)
{
    char *end;
    long n = strtol(name, &end, 10);
    if (name[0] < '1' || name[0] > '9' || n > INT_MAX || strcmp(end, ".sock") != 0)
        return false;
    *pid = (int)n;
    return true;
}

static int by_pid(const void *a, const void *b)
{
    const struct process *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

struct process *runtime_processes(const char *directory, size_t *count)
{
    struct process *list = NULL, *more;
    struct dirent *entry;
    DIR *dir = opendir(directory);
    int pid;

    *count = 0;
    while (dir && (entry = readdir(dir)) != NULL) {
        if (!parse_name(entry->d_name, &pid))
            continue;
        more = reallocarray(list, *count + 1, sizeof *list);
        if (!more)
            break;
        list = more;
        list[*count].pid = pid;
        if (snprintf(list[*count].socket, PATH_MAX, "%s/%s", directory, entry->d_name) < PATH_MAX)
            ++*count;
    }
    if (dir)
        closedir(dir);
    if (list)
        qsort(list, *count, sizeof *list, by_pid);
    return list;
}
