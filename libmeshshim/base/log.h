/*
 * One plain sentence a line: what happened, where, and what to do next.
 *
 * Levels and destination come from MESHSHIM_LOG and MESHSHIM_LOG_FILE. Safe in any thread and after
 * fork; keeps errno; never allocates. Nothing is written to descriptor 2 once the program has made
 * it something else than what it was at start-up.
 */
#ifndef MESHSHIM_LOG_H
#define MESHSHIM_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Reads the environment. An unknown level is reported and taken as warn. */
void log_init(void);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                                                                       \
    do {                                                                                                     \
        if (log_enabled(LOG_DEBUG))                                                                          \
            log_write(LOG_DEBUG, __VA_ARGS__);                                                               \
    } while (0)

#endif
