/* meshctl help: the list, one command, or the words that shell completion offers. */
#include "commands.h"
#include "options.h"

#include "base/banned.h"

/* Completion: the words that may follow those given, one a line. */
static void list_first_words(void)
{
    const char *previous = "";
    for (size_t i = 0; i < command_count; i++) {
        const char *name = commands[i]->name;
        size_t length = strcspn(name, " ");
        if (strncmp(previous, name, length) != 0 || (previous[length] != ' ' && previous[length] != '\0'))
            printf("%.*s\n", (int)length, name);
        previous = name;
    }
}

static int list_group(const char *word)
{
    size_t length = strlen(word);
    for (size_t i = 0; i < command_count; i++)
        if (strncmp(commands[i]->name, word, length) == 0 && commands[i]->name[length] == ' ')
            puts(commands[i]->name + length + 1);
    return STATUS_OK;
}

static int list_options(const struct command *command)
{
    for (const struct option_row *row = command->options; row && row->name; row++)
        printf("--%s\n", row->name);
    puts("--help");
    return STATUS_OK;
}

static int no_topic(const char *name)
{
    return complain_usage(&command_help, "there is no command '%s'", name);
}

static int list(const char *name)
{
    const struct command *command = command_find(name);
    if (*name == '\0') {
        list_first_words();
        return STATUS_OK;
    }
    if (command_is_group(name))
        return list_group(name);
    return command ? list_options(command) : no_topic(name);
}

static int show(const char *name)
{
    const struct command *command = command_find(name);
    if (*name == '\0')
        help_write_list();
    else if (command_is_group(name))
        help_write_group(name);
    else if (command)
        help_write_command(command);
    else
        return no_topic(name);
    return STATUS_OK;
}

static int run(const struct command *self, int argc, char **argv)
{
    struct options o;
    char name[64] = "";
    bool words = false;
    int letter;

    options_begin(&o, self, argc, argv);
    while ((letter = options_next(&o)) != OPTION_END) {
        if (letter != 'l')
            return options_stop(&o, letter);
        words = true;
    }
    if (!options_at_most(&o, 2))
        return STATUS_USAGE;
    if (argc - o.first == 1)
        snprintf(name, sizeof name, "%s", argv[o.first]);
    else if (argc - o.first == 2)
        snprintf(name, sizeof name, "%s %s", argv[o.first], argv[o.first + 1]);
    return words ? list(name) : show(name);
}

static const struct option_row rows[] = {
    { 'l', "list", NULL, "bare words, one a line, for shell completion: commands, sub-commands or options" },
    { 0 },
};

const struct command command_help = {
    "help", "[COMMAND]", "What each command does, and its options", "", rows, run, false,
};
