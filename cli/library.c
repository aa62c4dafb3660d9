/* See library.h. */
#include "library.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

#include "base/banned.h"

enum { LIBRARY_MOST = 256 << 20 };

/* The dynamic loader splits LD_PRELOAD at spaces and colons and knows no quoting. */
static bool can_be_preloaded(const char *path, struct buf *why)
{
    if (!strpbrk(path, " :\t\n"))
        return true;
    buf_printf(why, "the path '%s' has a space or a colon, at which LD_PRELOAD is split; move the library",
               path);
    return false;
}

static bool find_wanted(const char *wanted, char path[PATH_MAX], struct buf *why)
{
    if (realpath(wanted, path) && access(path, R_OK) == 0)
        return can_be_preloaded(path, why);
    buf_printf(why, "cannot read the library %s (%s); check --library", wanted, strerror(errno));
    return false;
}

bool library_find(const char *wanted, char path[PATH_MAX], struct buf *why)
{
    static const char *const places[] = { "libmeshshim.so", "../lib/libmeshshim.so" };
    char self[PATH_MAX], candidate[PATH_MAX + 32];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    if (wanted)
        return find_wanted(wanted, path, why);
    self[length > 0 ? length : 0] = '\0';
    slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    for (size_t i = 0; slash && i < sizeof places / sizeof *places; i++) {
        snprintf(candidate, sizeof candidate, "%s/%s", self, places[i]);
        if (realpath(candidate, path) && access(path, R_OK) == 0)
            return can_be_preloaded(path, why);
    }
    path[0] = '\0';
    buf_puts(why,
             "libmeshshim.so is neither beside meshctl nor in ../lib; 'make' builds it, --library names it");
    return false;
}

/*
 * meshctl again, with the loader told to preload the library, bind every symbol, list what it loaded and not to start
 * the program. Returns -1 where that cannot be tried.
 */
static int spawn_trace(const char *path, int output)
{
    char preload[PATH_MAX + 16], name[] = "meshctl";
    char trace[] = "LD_TRACE_LOADED_OBJECTS=1", bind[] = "LD_BIND_NOW=1", warn[] = "LD_WARN=1";
    char *argv[] = { name, NULL }, *environment[] = { preload, trace, bind, warn, NULL };
    posix_spawn_file_actions_t actions;
    pid_t child = -1;

    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", path);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return -1;
    if (posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO) != 0 ||
        posix_spawn(&child, "/proc/self/exe", &actions, NULL, argv, environment) != 0)
        child = -1;
    posix_spawn_file_actions_destroy(&actions);
    return (int)child;
}

static bool trace(const char *path, struct buf *out)
{
    char chunk[4096];
    int ends[2], child;
    ssize_t n;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    child = spawn_trace(path, ends[1]);
    close(ends[1]);
    while (child > 0 && ((n = read(ends[0], chunk, sizeof chunk)) > 0 || (n < 0 && errno == EINTR)))
        buf_append(out, chunk, n > 0 ? (size_t)n : 0);
    close(ends[0]);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    return child > 0;
}

/* The loader's own complaint, a line of it. */
static void quote_line(const char *output, const char *word, struct buf *why)
{
    const char *at = strstr(output, word), *start = at;
    if (!at)
        return;
    while (start > output && start[-1] != '\n')
        start--;
    start += strspn(start, " \t");
    buf_printf(why, " (%.*s)", (int)strcspn(start, "\n"), start);
}

bool library_loads(const char *path, struct buf *why)
{
    struct buf output = BUF_INIT;
    bool tried = trace(path, &output);
    const char *text = buf_text(&output);
    bool loads = tried && strstr(text, path) && !strstr(text, "cannot be preloaded") &&
                 !strstr(text, "undefined symbol") && !strstr(text, "not found");

    if (!loads) {
        buf_printf(why, "the dynamic loader does not take %s", path);
        quote_line(text, "cannot be preloaded", why);
        quote_line(text, "undefined symbol", why);
        quote_line(text, "not found", why);
        buf_puts(why, "; is it libmeshshim.so, whole, and built for this machine");
    }
    buf_free(&output);
    return loads;
}

/* libmeshshim/tls/version.c: "libmeshshim 0.1.0, built with OpenSSL 3.0.17 1 Jul 2025". */
static void read_versions(const char *data, size_t length, struct library_versions *v)
{
    static const char mark[] = "libmeshshim ";
    const char *at = data, *end = data + length;
    char line[192];

    while ((at = memmem(at, (size_t)(end - at), mark, sizeof mark - 1)) != NULL) {
        snprintf(line, sizeof line, "%.*s", (int)strnlen(at, (size_t)(end - at)), at);
        if (sscanf(line, "libmeshshim %31[0-9.], built with %127[^\n]", v->own, v->openssl) == 2)
            break;
        at += sizeof mark - 1;
    }
    if (memmem(data, length, "libcrypto.so", strlen("libcrypto.so")))
        snprintf(v->openssl, sizeof v->openssl, "the system's libcrypto");
}

void library_versions(const char *path, struct library_versions *v)
{
    char *data = NULL;
    size_t length = 0;

    snprintf(v->own, sizeof v->own, "unknown");
    snprintf(v->openssl, sizeof v->openssl, "unknown");
    if (file_read(path, LIBRARY_MOST, &data, &length) == 0)
        read_versions(data, length, v);
    free(data);
}
