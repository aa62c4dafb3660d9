/* meshctl run: looks whether a program can be meshed, then becomes it with the library preloaded. */
#include <errno.h>
#include <unistd.h>

#include "commands.h"
#include "library.h"
#include "options.h"
#include "policy/config.h"
#include "preload.h"
#include "program.h"

#include "base/banned.h"

struct request {
    const char *config, *library;
    bool force;
    char **program; /* its argv */
};

/* The configuration's absolute path: the program may change its directory. */
static bool find_config(const char *wanted, char path[PATH_MAX], struct buf *why)
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

static bool set_preload(const char *library, const char *sanitizer, struct buf *why)
{
    struct buf value = BUF_INIT;
    bool set;

    preload_write(&value, library, sanitizer, getenv("LD_PRELOAD"));
    set = !value.failed && setenv("LD_PRELOAD", buf_text(&value), 1) == 0;
    buf_free(&value);
    if (!set)
        buf_puts(why, "out of memory while setting LD_PRELOAD; free some and try again");
    return set;
}

/* What the configuration says of programs that cannot be meshed. One that is not valid says nothing. */
static enum unmeshable_policy policy_of(const char *wanted)
{
    enum unmeshable_policy policy = UNMESHABLE_REFUSE;
    struct buf problems = BUF_INIT;
    char path[PATH_MAX];
    struct snapshot *snapshot = find_config(wanted, path, &problems) ? config_load(path, &problems) : NULL;

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
static bool judge(const struct request *request, const char *library, struct program *program,
                  struct buf *why)
{
    struct buf doubts = BUF_INIT;
    bool is_good = program_judge(request->program[0], library, program, why, &doubts);

    if (!is_good && program->found && (request->force || policy_of(request->config) == UNMESHABLE_WARN)) {
        complain("%s; running it all the same, not meshed", buf_text(why));
        why->length = 0;
        is_good = true;
    }
    if (is_good)
        tell_doubts(&doubts);
    buf_free(&doubts);
    return is_good;
}

static bool prepare(const struct request *request, struct buf *why)
{
    char library[PATH_MAX], config[PATH_MAX];
    struct buf missing = BUF_INIT;
    struct program program;
    bool has_library = library_find(request->library, library, &missing), is_good;

    is_good = judge(request, has_library ? library : NULL, &program, why);
    if (is_good && !has_library)
        buf_puts(why, buf_text(&missing));
    buf_free(&missing);
    return is_good && has_library && library_loads(library, why) &&
           find_config(request->config, config, why) && setenv("MESHSHIM_CONFIG", config, 1) == 0 &&
           set_preload(library, program.sanitizer, why);
}

static int become(const struct request *request)
{
    struct buf why = BUF_INIT;
    if (prepare(request, &why)) {
        fflush(stdout);
        execvp(request->program[0], request->program);
        buf_printf(&why, "cannot run %s (%s); check that it runs without meshctl", request->program[0],
                   strerror(errno));
    }
    complain("%s", buf_text(&why));
    buf_free(&why);
    return STATUS_PROBLEM;
}

static int run(const struct command *self, int argc, char **argv)
{
    struct request request = { NULL, NULL, false, NULL };
    struct options o;
    int letter;

    options_begin(&o, self, argc, argv);
    while ((letter = options_next(&o)) != OPTION_END) {
        if (letter == 'c')
            request.config = o.value;
        else if (letter == 'l')
            request.library = o.value;
        else if (letter == 'f')
            request.force = true;
        else
            return options_stop(&o, letter);
    }
    request.program = argv + o.first;
    if (!request.program[0])
        return complain_usage(self, "a program is missing");
    return become(&request);
}

static const struct option_row rows[] = {
    { 'c', "config", "FILE", "the configuration (default $MESHSHIM_CONFIG, else /etc/meshshim/mesh.ini)" },
    { 'l', "library", "FILE", "libmeshshim.so, where it is not beside meshctl or in ../lib" },
    { 'f', "force", NULL, "run it also where meshctl sees that it cannot be meshed" },
    { 0 },
};

const struct command command_run = {
    "run",
    "-- PROGRAM [ARGUMENT…]",
    "Runs a program in the mesh, after a look whether it can be meshed",
    "Refused, each with the reason and what to do instead: static programs, Go programs, programs for\n"
    "another C library, an older glibc or another processor, set-uid and set-gid programs, those with file\n"
    "capabilities, and damaged files. A script is judged by its interpreter, and by what it does nothing "
    "but\n"
    "execute. 'unmeshable = warn' in [workload], or --force, run such a program all the same, not meshed.\n"
    "Else LD_PRELOAD (in front of what it holds, but behind a sanitizer) and MESHSHIM_CONFIG are set and "
    "the\n"
    "program takes meshctl's place: same process id, same exit status.",
    rows,
    run,
    true,
};
