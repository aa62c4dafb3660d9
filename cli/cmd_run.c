/* meshctl run: looks whether a program can be meshed, then becomes it with the library preloaded. */
#include <errno.h>
#include <unistd.h>

#include "commands.h"
#include "launch.h"
#include "options.h"

#include "base/banned.h"

static int become(const struct launch *launch)
{
    struct buf why = BUF_INIT;
    struct meshing meshing;
    if (launch_prepare(launch, &meshing, &why) && launch_mesh(&meshing, &why)) {
        fflush(stdout);
        execvp(launch->program, launch->arguments);
        buf_printf(&why, "cannot run %s (%s); check that it runs without meshctl", launch->program,
                   strerror(errno));
    }
    complain("%s", buf_text(&why));
    buf_free(&why);
    return STATUS_PROBLEM;
}

static int run(const struct command *self, int argc, char **argv)
{
    struct launch launch = { NULL };
    struct options o;
    int letter;

    options_begin(&o, self, argc, argv);
    while ((letter = options_next(&o)) != OPTION_END) {
        if (letter == 'c')
            launch.config = o.value;
        else if (letter == 'l')
            launch.library = o.value;
        else if (letter == 'f')
            launch.force = true;
        else
            return options_stop(&o, letter);
    }
    launch.arguments = argv + o.first;
    launch.program = argv[o.first];
    if (!launch.program)
        return complain_usage(self, "a program is missing");
    return become(&launch);
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
    "Refused, each with the reason and what to do instead: static programs, Go and Free Pascal programs, "
    "those "
    "for\n"
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
