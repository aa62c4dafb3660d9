/* A command with and without the library, in turn. */
#include "bench.h"
#include "bench_report.h"
#include "command.h"
#include "trial.h"

#include "base/banned.h"

struct measurements {
    struct series wall, processor, resident;
};

/* One run of the command; what it took goes to `at` of either side. False: said. */
static bool run_once(char **arguments, const struct meshing *meshing, struct trial *trial)
{
    struct buf why = BUF_INIT;
    bool ran = trial_run(arguments, meshing, -1, trial, &why);

    if (!ran)
        complain("%s", buf_text(&why));
    else if (trial->status != 0)
        complain("%s ended with status %d %s the library, so its time says nothing; %s", arguments[0],
                 trial->status, meshing ? "with" : "without",
                 meshing
                     ? "the log above tells of refusals, and 'meshctl check' looks for more"
                     : "see that it succeeds by itself (a strict server refuses who is not meshed: set it to "
                       "permissive meanwhile)");
    buf_free(&why);
    return ran && trial->status == 0;
}

static bool run_round(char **arguments, const struct meshing *meshing, struct measurements *m, size_t round)
{
    struct trial plain, meshed;

    if (!run_once(arguments, NULL, &plain) || !run_once(arguments, meshing, &meshed))
        return false;
    m->wall.plain[round] = (double)plain.wall_ns;
    m->wall.meshed[round] = (double)meshed.wall_ns;
    m->processor.plain[round] = (double)plain.processor_ns;
    m->processor.meshed[round] = (double)meshed.processor_ns;
    m->resident.plain[round] = (double)plain.resident_kib;
    m->resident.meshed[round] = (double)meshed.resident_kib;
    m->wall.rounds = m->processor.rounds = m->resident.rounds = round + 1;
    return true;
}

static void report(const struct bench *bench, const char *command, const struct measurements *m)
{
    struct comparison wall, processor, resident;
    char subject[256];

    comparison_of(&m->wall, &wall);
    comparison_of(&m->processor, &processor);
    comparison_of(&m->resident, &resident);
    const struct measured rows[] = {
        { "time", "wall_us", MEASURE_NS, wall.plain, wall.meshed },
        { "processor time", "processor_us", MEASURE_NS, processor.plain, processor.meshed },
        { "memory", "resident_kib", MEASURE_KIB, resident.plain, resident.meshed },
    };
    snprintf(subject, sizeof subject, "%s takes", command);
    bench_report(bench->format, command, rows, sizeof rows / sizeof *rows, &m->wall, MEASURE_NS,
                 &(struct claim){ subject, "longer", "less time", "as long as plain" });
}

int bench_command(const struct bench *bench, char **arguments)
{
    struct launch launch = { .config = bench->config,
                             .library = bench->library,
                             .must_mesh = true,
                             .program = arguments[0],
                             .arguments = arguments };
    struct meshing meshing;
    struct measurements measurements;
    struct trial unused;
    struct buf why = BUF_INIT;
    bool done = launch_prepare(&launch, &meshing, &why);

    if (!done)
        complain("%s", buf_text(&why));
    buf_free(&why);
    /* The first of each finds cold caches: it does not count. */
    done = done && run_once(arguments, NULL, &unused) && run_once(arguments, &meshing, &unused);
    for (size_t round = 0; done && round < bench->rounds; round++)
        done = run_round(arguments, &meshing, &measurements, round);
    if (!done)
        return STATUS_PROBLEM;
    report(bench, arguments[0], &measurements);
    return STATUS_OK;
}
