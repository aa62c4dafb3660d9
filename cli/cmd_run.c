/* meshctl run: looks whether a program can be meshed, then becomes it with the library preloaded. */
#include <errno.h>
#include <unistd.h>

#include "commands.h"
#include "library.h"
#include "options.h"
#include "policy/config.h"
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

/* Ours first: the first library that defines a symbol wins. */
static bool set_preload(const char *library, struct buf *why)
{
    const char *before = getenv("LD_PRELOAD");
    struct buf value = BUF_INIT;
    bool set;

    buf_puts(&value, library);
    if (before && *before)
        buf_printf(&value, ":%s", before);
    set = !value.failed && setenv("LD_PRELOAD", buf_text(&value), 1) == 0;
    buf_free(&value);
    if (!set)
        buf_puts(why, "out of memory while setting LD_PRELOAD; free some and try again");
    return set;
}

static bool prepare(const struct request *request, struct buf *why)
{
    char library[PATH_MAX], config[PATH_MAX];
    struct program program;

    if (!program_judge(request->program[0], &program, why)) {
        if (!request->force || !program.found)
            return false;
        complain("%s; running it all the same", buf_text(why));
        why->length = 0;
    }
    if (!library_find(request->library, library, why) || !library_loads(library, why) ||
        !find_config(request->config, config, why))
        return false;
    return setenv("MESHSHIM_CONFIG", config, 1) == 0 && set_preload(library, why);
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
    "Refused, each with the reason: static programs, programs for another C library or processor, Go "
    "programs,\n"
    "set-uid and set-gid programs and those with file capabilities. A script is judged by its interpreter.\n"
    "Else LD_PRELOAD (in front of what it holds) and MESHSHIM_CONFIG are set and the program takes "
    "meshctl's\n"
    "place: same process id, same exit status.",
    rows,
    run,
    true,
};
