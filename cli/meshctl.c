/* meshctl: looks at a mesh and operates it. The table of its commands, and dispatch. */
#include <stdarg.h>

#include "command.h"
#include "commands.h"
#include "nearest.h"

#include "base/banned.h"

const struct command *const commands[] = {
    &command_stats,    &command_check,   &command_analyze,     &command_run,      &command_ca_init,
    &command_ca_issue, &command_reload,  &command_connections, &command_identity, &command_bench,
    &command_config,   &command_version, &command_help,
};
const size_t command_count = sizeof commands / sizeof *commands;

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

bool command_is_group(const char *word)
{
    size_t length = strlen(word);
    for (size_t i = 0; i < command_count; i++)
        if (strncmp(commands[i]->name, word, length) == 0 && commands[i]->name[length] == ' ')
            return true;
    return false;
}

void complain(const char *format, ...)
{
    va_list args;
    fflush(stdout);
    fputs("meshctl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

int complain_usage(const struct command *command, const char *format, ...)
{
    va_list args;
    fflush(stdout);
    fprintf(stderr, "meshctl %s: ", command->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "; 'meshctl help %s' shows the usage\n", command->name);
    return STATUS_USAGE;
}

static int no_such_command(const char *word)
{
    const char *near = nearest_command(word);
    if (near)
        complain("'%s' is not a command; did you mean '%s'? 'meshctl help' lists them", word, near);
    else
        complain("'%s' is not a command; 'meshctl help' lists them", word);
    return STATUS_USAGE;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

/* "ca init": the second word completes the name. */
static int dispatch_group(int argc, char **argv)
{
    const struct command *command;
    char name[64];

    if (argc >= 3 && is_help(argv[2])) {
        help_write_group(argv[1]);
        return STATUS_OK;
    }
    if (argc < 3) {
        complain("'%s' needs a sub-command; 'meshctl help %s' lists them", argv[1], argv[1]);
        return STATUS_USAGE;
    }
    snprintf(name, sizeof name, "%s %s", argv[1], argv[2]);
    command = command_find(name);
    return command ? command->run(command, argc - 2, argv + 2) : no_such_command(name);
}

static int dispatch(int argc, char **argv)
{
    const struct command *command;

    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return command_help.run(&command_help, 1, argv);
    if (strcmp(argv[1], "--version") == 0)
        return command_version.run(&command_version, 1, argv);
    if (command_is_group(argv[1]))
        return dispatch_group(argc, argv);
    if (argv[1][0] == '-') /* options alone are those of stats */
        return command_stats.run(&command_stats, argc, argv);
    command = command_find(argv[1]);
    return command ? command->run(command, argc - 1, argv + 1) : no_such_command(argv[1]);
}

int main(int argc, char **argv)
{
    int status = argc < 2 ? command_stats.run(&command_stats, argc, argv) : dispatch(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        complain("cannot write the output (%m)");
        return STATUS_PROBLEM;
    }
    return status;
}
