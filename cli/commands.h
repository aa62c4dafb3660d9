/* The rows of the table in meshctl.c, one file a command (or a family of small ones). */
#ifndef MESHCTL_COMMANDS_H
#define MESHCTL_COMMANDS_H

#include "command.h"

extern const struct command command_analyze;                       /* cmd_analyze.c */
extern const struct command command_bench;                         /* cmd_bench.c */
extern const struct command command_ca_init, command_ca_issue;     /* cmd_ca.c */
extern const struct command command_check;                         /* cmd_check.c */
extern const struct command command_help;                          /* cmd_help.c */
extern const struct command command_connections, command_identity; /* cmd_processes.c */
extern const struct command command_config, command_reload;        /* cmd_processes.c */
extern const struct command command_run;                           /* cmd_run.c */
extern const struct command command_stats;                         /* cmd_stats.c */
extern const struct command command_version;                       /* cmd_version.c */

#endif
