/*
 * What a sub-command is. Each cmd_*.c defines one or more; the table in meshctl.c names them all, and dispatch, help
 * and shell completion come from that table and from the rows here.
 */
#ifndef MESHCTL_COMMAND_H
#define MESHCTL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

enum { STATUS_OK = 0, STATUS_PROBLEM = 1, STATUS_USAGE = 2 };

struct option_row {
    int letter;           /* 'd'; a number from 256 up for an option without a short form */
    const char *name;     /* "dir" */
    const char *argument; /* "DIR"; NULL: takes none */
    const char *help;     /* one line */
};

struct command {
    const char *name;                 /* "stats"; "ca issue" for a command in a group */
    const char *arguments;            /* what follows the options, "[FILE]"; "" where nothing does */
    const char *summary;              /* one line, for the list */
    const char *details;              /* paragraphs for `meshctl help CMD`; "" where there are none */
    const struct option_row *options; /* ends with a row without a name; NULL: none but --help */
    int (*run)(const struct command *self, int argc, char **argv); /* argv[0] is the command's last word */
    bool runs_another; /* its first argument is a program: options behind it are the program's */
};

/* Every command, in the order of `meshctl help`. */
extern const struct command *const commands[];
extern const size_t command_count;

/* The command of that full name, or NULL. */
const struct command *command_find(const char *name);
/* Is `word` the first word of commands such as "ca init"? */
bool command_is_group(const char *word);

/* One sentence on standard error, "meshctl: …": what went wrong and what to do next. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, and where help is; returns STATUS_USAGE. */
int complain_usage(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* help.c */
void help_write_command(const struct command *command);
void help_write_group(const char *word);
void help_write_list(void);

#endif
