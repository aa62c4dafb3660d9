/* See launch.h. */
#include "launch.h"

#include <errno.h>
#include <unistd.h>

#include "command.h"
#include "library.h"
#include "policy/config.h"
#include "preload.h"
#include "program.h"

#include "base/banned.h"

bool launch_find_config(const char *wanted, char path[PATH_MAX], struct buf *why)
{
    bool is_explicit;
    const char *given = wanted ? wanted : config_path(&is_explicit);
    if (realpath(given, path) && access(path, R_OK) == 0)
        return true;
    buf_printf(
        why,
        "cannot read the configuration %s (%s), and without one nothing is meshed; name one with --config or "
        "MESHSHIM_CONFIG",
        given, strerror(errno));
    return false;
}

/* What the configuration says of programs that cannot be meshed. One that is not valid says nothing. */
static enum unmeshable_policy policy_of(const char *wanted)
{
    enum unmeshable_policy policy = UNMESHABLE_REFUSE;
    struct buf problems = BUF_INIT;
    char path[PATH_MAX];
    struct snapshot *snapshot =
        launch_find_config(wanted, path, &problems) ? config_load(path, &problems) : NULL;

    if (snapshot)
        policy = snapshot_workload(snapshot)->unmeshable;
    snapshot_unref(snapshot);
    buf_free(&problems);
    return policy;
}

static void tell_doubts(struct buf *doubts)
{
    char *rest = doubts->data, *line;
    while ((line = strsep(&rest, "\n")) != NULL)
        if (*line)
            complain("%s", line);
    buf_free(doubts);
}

/* Is it to be run? An unmeshable program is, where that was asked for; then with a warning. */
static bool judge(const struct launch *launch, const char *library, struct program *program, struct buf *why)
{
    struct buf doubts = BUF_INIT;
    bool is_good = program_judge(launch->program, library, program, why, &doubts);

    if (!is_good && program->found && !launch->must_mesh &&
        (launch->force || policy_of(launch->config) == UNMESHABLE_WARN)) {
        complain("%s; running it all the same, not meshed", buf_text(why));
        why->length = 0;
        is_good = true;
    } else if (!is_good && program->found && !launch->must_mesh) {
        buf_puts(why, " (--force runs it all the same, not meshed)");
    }
    if (is_good)
        tell_doubts(&doubts);
    buf_free(&doubts);
    return is_good;
}

bool launch_prepare(const struct launch *launch, struct meshing *meshing, struct buf *why)
{
    struct buf missing = BUF_INIT;
    struct program program;
    bool has_library = library_find(launch->library, meshing->library, &missing), is_good;

    is_good = judge(launch, has_library ? meshing->library : NULL, &program, why);
    if (is_good && !has_library)
        buf_puts(why, buf_text(&missing));
    buf_free(&missing);
    if (is_good)
        snprintf(meshing->sanitizer, sizeof meshing->sanitizer, "%s", program.sanitizer);
    return is_good && has_library && library_loads(meshing->library, why) &&
           launch_find_config(launch->config, meshing->config, why);
}

bool launch_mesh(const struct meshing *meshing, struct buf *why)
{
    struct buf value = BUF_INIT;
    bool set;

    preload_write(&value, meshing->library, meshing->sanitizer, getenv("LD_PRELOAD"));
    set = !value.failed && setenv("LD_PRELOAD", buf_text(&value), 1) == 0 &&
          setenv("MESHSHIM_CONFIG", meshing->config, 1) == 0;
    buf_free(&value);
    if (!set)
        buf_puts(why, "out of memory while setting LD_PRELOAD; free some and try again");
    return set;
}
