/* Log lines to standard error or a file. See log.h. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/process.h"

static const char *const level_names[] = { "error", "warn", "info", "debug" };
static enum log_level threshold = LOG_WARN;
static char file_path[4096]; /* a copy: programs write over their environment to change their name */
static dev_t stderr_device;
static ino_t stderr_inode;

void log_init(void)
{
    struct stat st;
    const char *level = secure_getenv("MESHSHIM_LOG");
    const char *path = secure_getenv("MESHSHIM_LOG_FILE");
    snprintf(file_path, sizeof file_path, "%s", path ? path : "");
    if (fstat(STDERR_FILENO, &st) == 0) {
        stderr_device = st.st_dev;
        stderr_inode = st.st_ino;
    }
    if (!level || !*level)
        return;
    for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
        if (strcmp(level, level_names[i]) == 0) {
            threshold = (enum log_level)i;
            return;
        }
    }
    log_warn("MESHSHIM_LOG is '%s'; expected error, warn, info or debug: using warn", level);
}

bool log_enabled(enum log_level level)
{
    return level <= threshold;
}

/* A daemon closes descriptor 2 and may get it back as a client's socket: check before writing. */
static bool stderr_is_ours(void)
{
    struct stat st;
    return stderr_inode != 0 && fstat(STDERR_FILENO, &st) == 0 && st.st_dev == stderr_device &&
           st.st_ino == stderr_inode;
}

static void emit(const char *line, size_t length)
{
    if (file_path[0]) {
        int fd = libc.open(file_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
        if (fd >= 0) {
            (void)!libc.write(fd, line, length);
            libc.close(fd);
        }
    } else if (stderr_is_ours()) {
        (void)!libc.write(STDERR_FILENO, line, length);
    }
}

/* A peer chooses parts of a line (names, alerts): control characters must not forge another one. */
static void flatten(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f)
            text[i] = '?';
    }
}

void log_write(enum log_level level, const char *format, ...)
{
    char line[1024];
    int saved = errno;
    va_list args;
    int head, body;
    size_t length;

    if (level > threshold || process_is_locked_in())
        return;
    head = snprintf(line, sizeof line, "meshshim[%d]: %s: ", (int)getpid(), level_names[level]);
    va_start(args, format);
    body = vsnprintf(line + head, sizeof line - (size_t)head - 1, format, args);
    va_end(args);
    length = (size_t)head + (size_t)(body < 0 ? 0 : body);
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    flatten(line, length);
    line[length] = '\n';
    emit(line, length + 1);
    errno = saved;
}
