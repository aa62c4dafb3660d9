/* What libc itself writes to standard error, when that is a connection. */
#include "trace.h"

#include <err.h>
#include <errno.h>
#include <error.h>
#include <execinfo.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

static void complain(void)
{
    char *args[] = { "program", "-x", NULL };
    int status = fcntl(STDERR_FILENO, F_GETFD);
    errno = ENOENT;
    perror("perror");
    perror(NULL);
    psignal(SIGUSR1, "psignal");
    warn("warn");
    warnx("warnx %d", status);
    error(0, EINVAL, "error");
    optind = 1;
    getopt(1 + 1, args, "a");
    dprintf(STDERR_FILENO, "dprintf\n");
    fprintf(stderr, "fprintf\n");
    openlog("program", LOG_PERROR, LOG_USER);
    errno = ENOENT;
    syslog(LOG_INFO, "syslog %d %m", 1);
    setlogmask(LOG_UPTO(LOG_ERR));
    syslog(LOG_INFO, "not told");
    setlogmask(LOG_UPTO(LOG_DEBUG));
    closelog();
}

void script_messages(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        int before = fcntl(STDERR_FILENO, F_DUPFD, 50);
        dup2(fd, STDERR_FILENO);
        complain();
        dup2(before, STDERR_FILENO);
        close(fd);
    } else {
        char line[1000];
        FILE *stream = fdopen(fd, "r");
        while (fgets(line, sizeof line, stream)) {
            line[strcspn(line, "\n")] = '\0';
            say("%s", strchr(line, ':') && strstr(line, "trace:") ? strchr(line, ':') : line);
        }
        fclose(stream);
    }
    meet(s);
}

/* Those whose words are not the same twice. */
void script_messages_that_vary(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_USER };
        int before = fcntl(STDERR_FILENO, F_DUPFD, 50);
        void *calls[2] = { (void *)script_messages, (void *)script_messages_that_vary };
        dup2(fd, STDERR_FILENO);
        psiginfo(&info, "psiginfo");
        backtrace_symbols_fd(calls, 2, fd);
        dup2(before, STDERR_FILENO);
        close(fd);
    } else {
        char line[1000] = "";
        int lines = 0;
        FILE *stream = fdopen(fd, "r");
        fgets(line, sizeof line, stream);
        say("psiginfo: %d", strstr(line, "psiginfo: User defined signal 1") == line);
        while (fgets(line, sizeof line, stream))
            lines += strstr(line, "trace") && strstr(line, "[0x");
        say("calls: %d", lines);
        fclose(stream);
    }
    meet(s);
}

/* Eight bytes, though it is no eventfd. */
void script_eventfd_calls(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        said("eventfd_write", eventfd_write(fd, 0x6867666564636261));
        shutdown(fd, SHUT_WR);
    } else {
        eventfd_t value = 0;
        said("eventfd_read", eventfd_read(fd, &value));
        say("value %llx", (unsigned long long)value);
        said("eventfd_read", eventfd_read(fd, &value) == 0 ? 0 : 1);
    }
    meet(s);
}
