/* meshctl check: is this machine, this configuration and perhaps this program ready? Each finding with its fix. */
#include <errno.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "commands.h"
#include "library.h"
#include "options.h"
#include "policy/config.h"
#include "program.h"
#include "proof.h"
#include "render.h"
#include "runtime.h"
#include "tls/ktls.h"

#include "base/banned.h"

struct check {
    const char *config, *library, *program; /* as asked for; NULL: the default, or none */
    struct snapshot *snapshot;              /* NULL until the configuration was found good */
    int faults;
};

enum verdict { GOOD, DOUBTFUL, BAD };

static void tell(struct check *check, enum verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void tell(struct check *check, enum verdict verdict, const char *format, ...)
{
    static const char *const marks[] = { "✓", "!", "✗" };
    static const enum colour colours[] = { GREEN, YELLOW, RED };
    char *line = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&line, format, args) < 0)
        line = NULL;
    va_end(args);
    printf("%s%s%s ", render_colour(colours[verdict]), marks[verdict], render_colour(PLAIN));
    render_text(line ? line : "out of memory");
    putchar('\n');
    free(line);
    check->faults += verdict == BAD;
}

static void check_library(struct check *check)
{
    struct library_versions versions;
    char path[PATH_MAX];
    struct buf why = BUF_INIT;

    if (!library_find(check->library, path, &why) || !library_loads(path, &why)) {
        tell(check, BAD, "library: %s", buf_text(&why));
    } else {
        library_versions(path, &versions);
        tell(check, GOOD, "library: %s, version %s, loads; its OpenSSL: %s", path, versions.own,
             versions.openssl);
    }
    buf_free(&why);
}

/* One line of a text that the callee owns; NULL at its end. */
static char *next_line(char **rest)
{
    return strsep(rest, "\n");
}

static void tell_lines(struct check *check, const char *subject, char *text, int faults)
{
    for (char *line; (line = next_line(&text)) != NULL;) {
        if (*line)
            tell(check, faults > 0 ? BAD : DOUBTFUL, "%s: %s", subject, line);
        faults--;
    }
}

static void check_configuration(struct check *check)
{
    struct buf problems = BUF_INIT;
    bool is_explicit = true;
    const char *path = check->config ? check->config : config_path(&is_explicit);

    if (!is_explicit && access(path, F_OK) != 0) {
        tell(check, BAD,
             "configuration: %s is not there, so the library does nothing; write one, or name one with "
             "MESHSHIM_CONFIG or --config",
             path);
        return;
    }
    check->snapshot = config_load(path, &problems);
    if (check->snapshot)
        tell(check, GOOD,
             "configuration: %s is valid (%zu service%s); 'meshctl analyze' tells what is doubtful", path,
             snapshot_service_count(check->snapshot),
             snapshot_service_count(check->snapshot) == 1 ? "" : "s");
    else
        tell_lines(check, "configuration", problems.data, INT_MAX);
    buf_free(&problems);
}

static void check_identity(struct check *check)
{
    const struct workload *workload = check->snapshot ? snapshot_workload(check->snapshot) : NULL;
    struct buf findings = BUF_INIT;
    int faults;

    if (!workload)
        return;
    faults = proof_examine(workload, &findings);
    if (faults == 0)
        tell(check, GOOD, "identity: %s proves itself with %s", workload->spiffe_id,
             workload->certificate.path);
    tell_lines(check, "identity", findings.data, faults);
    buf_free(&findings);
}

/* The nearest directory above that exists: that is where a missing one would be made. */
static bool can_be_made(const char *directory)
{
    char above[PATH_MAX];
    snprintf(above, sizeof above, "%s", directory);
    for (char *slash; (slash = strrchr(above, '/')) != NULL;) {
        *(slash == above ? slash + 1 : slash) = '\0';
        if (access(above, F_OK) == 0 || above[1] == '\0')
            return access(above, W_OK | X_OK) == 0;
    }
    return access(".", W_OK | X_OK) == 0;
}

static size_t count_live(const char *directory)
{
    size_t count = 0, live = 0;
    struct process *processes = runtime_processes(directory, &count);
    for (size_t i = 0; i < count; i++) {
        struct buf why = BUF_INIT;
        struct reply reply;
        live += client_request(processes[i].socket, "GET", "/healthz", &reply, &why) == CLIENT_OK;
        buf_free(&reply.body);
        buf_free(&why);
    }
    free(processes);
    return live;
}

static void judge_directory(struct check *check, const char *directory)
{
    struct stat st;
    if (stat(directory, &st) != 0 && errno == ENOENT && can_be_made(directory))
        tell(check, GOOD, "runtime directory: %s can be made when it is needed", directory);
    else if (stat(directory, &st) != 0)
        tell(check, BAD,
             "runtime directory: %s cannot be used (%s); make it, or set runtime_dir in [workload]",
             directory, strerror(errno));
    else if (!S_ISDIR(st.st_mode) || access(directory, R_OK | W_OK | X_OK) != 0)
        tell(check, BAD,
             "runtime directory: %s is not a directory that this user may write; set runtime_dir in "
             "[workload], or "
             "mend its owner",
             directory);
    else if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
        tell(check, DOUBTFUL, "runtime directory: %s may be written by everybody; 'chmod 700' it", directory);
    else
        tell(check, GOOD, "runtime directory: %s, %zu meshed process(es) running", directory,
             count_live(directory));
}

static void check_runtime(struct check *check)
{
    char directory[PATH_MAX];
    struct buf why = BUF_INIT;
    const char *configured = check->snapshot ? snapshot_workload(check->snapshot)->runtime_dir : NULL;

    /* A configuration that is not valid was told already; its runtime_dir is not known. */
    if (configured)
        judge_directory(check, configured);
    else if (check->config == NULL && check->faults == 0 && runtime_dir_find(NULL, directory, &why))
        judge_directory(check, directory);
    buf_free(&why);
}

/* By what the kernel offers and the configuration wants, in their order. */
static const struct {
    enum verdict verdict;
    const char *text;
} kernel_tls[][3] = {
#define ABSENT                                                                                               \
    "not offered, so records are made in the program itself, which is as safe; 'modprobe tls' offers it "    \
    "where "                                                                                                 \
    "the kernel has the module"
    { { DOUBTFUL, ABSENT },
      { GOOD, "not offered, and record_layer = user does without" },
      { DOUBTFUL, ABSENT } },
#undef ABSENT
    { { GOOD,
        "offered, but keys cannot be changed before Linux 6.14, so record_layer = auto leaves records to the "
        "program itself" },
      { GOOD, "offered; record_layer = user leaves records to the program itself" },
      { DOUBTFUL,
        "offered, but keys cannot be changed before Linux 6.14: with record_layer = kernel a connection "
        "ends when its peer changes keys, or after 2^24 records; record_layer = auto leaves records to "
        "the program itself" } },
    { { GOOD, "offered, and record_layer = auto uses it" },
      { GOOD, "offered; record_layer = user leaves records to the program itself" },
      { GOOD, "offered, and record_layer = kernel uses it" } },
};

static void check_kernel(struct check *check)
{
    enum ktls_offer offer = ktls_offer();
    enum record_layer layer =
        check->snapshot ? snapshot_workload(check->snapshot)->record_layer : RECORD_LAYER_AUTO;

    tell(check, kernel_tls[offer][layer].verdict, "kernel TLS: %s", kernel_tls[offer][layer].text);
}

static void check_environment(struct check *check)
{
    const char *disabled = getenv("MESHSHIM_DISABLE");
    if (disabled && strcmp(disabled, "1") == 0)
        tell(check, DOUBTFUL, "environment: MESHSHIM_DISABLE is 1, so the library does nothing; unset it");
}

static void check_program(struct check *check)
{
    struct buf why = BUF_INIT, doubts = BUF_INIT;
    char library[PATH_MAX];
    struct program program;
    bool has_library;

    if (!check->program)
        return;
    has_library = library_find(check->library, library, &why);
    why.length = 0;
    if (!program_judge(check->program, has_library ? library : NULL, &program, &why, &doubts))
        tell(check, BAD, "program: %s", buf_text(&why));
    else
        tell(check, GOOD, "program: %s%s%s can be meshed", program.path,
             *program.interpreter ? ", run by " : "", program.interpreter);
    tell_lines(check, "program", doubts.data, 0);
    buf_free(&why);
    buf_free(&doubts);
}

static void (*const steps[])(struct check *) = { check_library, check_configuration, check_identity,
                                                 check_runtime, check_kernel,        check_environment,
                                                 check_program };

static int run(const struct command *self, int argc, char **argv)
{
    struct check check = { 0 };
    struct options o;
    int letter;

    options_begin(&o, self, argc, argv);
    while ((letter = options_next(&o)) != OPTION_END) {
        if (letter == 'c')
            check.config = o.value;
        else if (letter == 'l')
            check.library = o.value;
        else
            return options_stop(&o, letter);
    }
    if (!options_at_most(&o, 1))
        return STATUS_USAGE;
    check.program = argv[o.first];
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        steps[i](&check);
    snapshot_unref(check.snapshot);
    return check.faults ? STATUS_PROBLEM : STATUS_OK;
}

static const struct option_row rows[] = {
    { 'c', "config", "FILE", "the configuration (default $MESHSHIM_CONFIG, else /etc/meshshim/mesh.ini)" },
    { 'l', "library", "FILE", "libmeshshim.so, where it is not beside meshctl or in ../lib" },
    { 0 },
};

const struct command command_check = {
    "check",
    "[PROGRAM]",
    "Is this machine and this configuration ready: each finding with its fix",
    "✓ is well, ! is doubtful, ✗ must be mended (exit status 1). Looked at: the library, its OpenSSL, the\n"
    "configuration, the identity's files, the runtime directory, kernel TLS, the environment and, where one "
    "is\n"
    "named, whether that program can be meshed. Nothing is changed.",
    rows,
    run,
    false,
};
