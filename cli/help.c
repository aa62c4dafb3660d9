/* Help and completion lists, written from the table of commands. */
#include "command.h"

#include "base/banned.h"

static void write_option(const struct option_row *row)
{
    char text[64];
    int used = row->letter < 256 ? snprintf(text, sizeof text, "-%c, ", row->letter)
                                 : snprintf(text, sizeof text, "    ");
    snprintf(text + used, sizeof text - (size_t)used, "--%s%s%s", row->name, row->argument ? " " : "",
             row->argument ? row->argument : "");
    printf("  %-28s  %s\n", text, row->help);
}

void help_write_command(const struct command *command)
{
    printf("%s\n\nUsage: meshctl %s [options]%s%s\n", command->summary, command->name,
           *command->arguments ? " " : "", command->arguments);
    if (*command->details)
        printf("\n%s\n", command->details);
    printf("\nOptions:\n");
    for (const struct option_row *row = command->options; row && row->name; row++)
        write_option(row);
    printf("  %-28s  %s\n", "-h, --help", "this text");
}

static void write_summaries(const char *group)
{
    size_t length = group ? strlen(group) : 0;
    for (size_t i = 0; i < command_count; i++) {
        const char *name = commands[i]->name;
        if (!group || (strncmp(name, group, length) == 0 && name[length] == ' '))
            printf("  %-13s  %s\n", name, commands[i]->summary);
    }
}

void help_write_group(const char *word)
{
    printf("Usage: meshctl %s COMMAND [options]\n\nCommands:\n", word);
    write_summaries(word);
    printf("\n'meshctl help %s COMMAND' tells more about one.\n", word);
}

void help_write_list(void)
{
    printf("meshctl looks at a mesh of programs under libmeshshim.so and operates it.\n\n"
           "Usage: meshctl COMMAND [options]\n\nCommands:\n");
    write_summaries(NULL);
    printf("\nWithout a command: stats. 'meshctl help COMMAND' tells more about one.\n"
           "Exit status: 0 all is well, 1 a problem was found, 2 wrong usage.\n");
}
