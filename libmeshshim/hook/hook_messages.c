/* Messages that libc itself writes to standard error: where that is a connection, they go through the hooks. */
#include <execinfo.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/banned.h"
#include "hook/entry.h"

void hook_perror(const char *text)
{
    int error = errno;
    char room[128];
    bool named = text && *text;
    if (!fdtable_get(STDERR_FILENO))
        libc.perror(text);
    else
        hook_fprintf(stderr, "%s%s%s\n", named ? text : "", named ? ": " : "",
                     strerror_r(error, room, sizeof room));
}

/* Less than libc would say, but what is the matter. */
void hook_psiginfo(const siginfo_t *info, const char *text)
{
    if (fdtable_get(STDERR_FILENO))
        psignal(info->si_signo, text); /* by way of stderr */
    else
        libc.psiginfo(info, text);
}

void hook_backtrace_symbols_fd(void *const *calls, int n, int fd)
{
    char **names;
    if (!fdtable_get(fd)) {
        libc.backtrace_symbols_fd(calls, n, fd);
        return;
    }
    names = backtrace_symbols(calls, n);
    for (int i = 0; names && i < n; i++)
        hook_dprintf(fd, "%s\n", names[i]);
    free(names);
}

/* ---- syslog, which can write to standard error as well (LOG_PERROR) ---- */

static _Atomic int log_options;
static const char *_Atomic log_name;

void hook_openlog(const char *name, int options, int facility)
{
    atomic_store(&log_options, options);
    if (name)
        atomic_store(&log_name, name);
    libc.openlog(name, options, facility);
}

void hook_closelog(void)
{
    libc.closelog();
    atomic_store(&log_name, NULL);
}

static bool tells_connection(void)
{
    return (atomic_load(&log_options) & LOG_PERROR) && fdtable_get(STDERR_FILENO);
}

static void pass(int priority, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    libc.vsyslog(priority, format, args);
    va_end(args);
}

/* libc shall not write to standard error; we do. */
static void tell(int priority, const char *format, va_list args)
{
    int options = atomic_load(&log_options);
    const char *name = atomic_load(&log_name);
    char *text = NULL;
    if (!(LOG_MASK(LOG_PRI(priority)) & setlogmask(0)) ||
        vasprintf(&text, format, args) < 0) /* knows %m, too */
        return;
    libc.openlog(NULL, options & ~LOG_PERROR, 0);
    pass(priority, "%s", text);
    libc.openlog(NULL, options, 0);
    if (!name)
        name = program_invocation_short_name;
    if (options & LOG_PID)
        hook_dprintf(STDERR_FILENO, "%s[%d]: %s\n", name, (int)getpid(), text);
    else
        hook_dprintf(STDERR_FILENO, "%s: %s\n", name, text);
    free(text);
}

void hook_vsyslog(int priority, const char *format, va_list args)
{
    if (tells_connection())
        tell(priority, format, args);
    else
        libc.vsyslog(priority, format, args);
}

void hook___vsyslog_chk(int priority, int flag, const char *format, va_list args)
{
    if (tells_connection())
        tell(priority, format, args);
    else
        libc.__vsyslog_chk(priority, flag, format, args);
}

void hook_syslog(int priority, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    hook_vsyslog(priority, format, args);
    va_end(args);
}

void hook___syslog_chk(int priority, int flag, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    hook___vsyslog_chk(priority, flag, format, args);
    va_end(args);
}
