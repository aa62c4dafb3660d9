/* meshctl analyze: what is wrong or doubtful in a configuration, with codes. */
#include "analysis.h"
#include "commands.h"
#include "options.h"
#include "policy/config.h"

#include "base/banned.h"

static bool threshold_parse(const struct command *command, const char *text, enum severity *threshold)
{
    for (int i = INFO; i <= ERROR; i++) {
        if (strcmp(text, severity_name((enum severity)i)) == 0) {
            *threshold = (enum severity)i;
            return true;
        }
    }
    complain_usage(command, "unknown severity '%s'; expected info, warning or error", text);
    return false;
}

static int analyze(const char *file, enum format format, enum severity threshold)
{
    struct findings_list list = { .file = file };
    int status;

    analysis_run(&list);
    if (format == FORMAT_JSON)
        findings_write_json(&list);
    else
        findings_write_text(&list);
    if (list.failed)
        complain("out of memory: some findings are missing; free some and try again");
    status = findings_reach(&list, threshold) ? STATUS_PROBLEM : STATUS_OK;
    findings_clear(&list);
    return status;
}

static int run(const struct command *self, int argc, char **argv)
{
    enum format format = FORMAT_TABLE;
    enum severity threshold = ERROR;
    bool is_explicit, codes = false;
    struct options o;
    int letter;

    options_begin(&o, self, argc, argv);
    while ((letter = options_next(&o)) != OPTION_END) {
        bool right = true;
        if (letter == 'o')
            right = format_parse(self, o.value, FORMAT_JSON + 1, &format);
        else if (letter == 't')
            right = threshold_parse(self, o.value, &threshold);
        else if (letter == 'l')
            codes = true;
        else
            return options_stop(&o, letter);
        if (!right)
            return STATUS_USAGE;
    }
    if (!options_at_most(&o, 1))
        return STATUS_USAGE;
    if (codes) {
        findings_write_codes();
        return STATUS_OK;
    }
    return analyze(argv[o.first] ? argv[o.first] : config_path(&is_explicit), format, threshold);
}

static const struct option_row rows[] = {
    { 'o', "output", "FORMAT", "table (default) or json" },
    { 't', "failure-threshold", "SEVERITY", "exit status 1 from info, warning or error (default) on" },
    { 'l', "list", NULL, "every code, its severity and what it means" },
    { 0 },
};

const struct command command_analyze = {
    "analyze",
    "[FILE]",
    "What is wrong or doubtful in a configuration, with codes",
    "Without FILE: $MESHSHIM_CONFIG, else /etc/meshshim/mesh.ini. Codes are stable. A configuration that is "
    "not\n"
    "valid is told whole (MSH0101), and what is doubtful only when it is mended.",
    rows,
    run,
    false,
};
