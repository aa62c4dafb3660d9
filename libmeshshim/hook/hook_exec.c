/* Programs that are started: the exec family, posix_spawn, system, popen. */
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/log.h"
#include "base/process.h"
#include "base/program.h"
#include "conn/handover/handover.h"
#include "conn/mesh.h"
#include "hook/entry.h"
#include "hook/preload.h"
#include "hook/spawn_actions.h"

/* What is started, in one of four ways. */
struct start {
    const char *path; /* NULL: by descriptor */
    int directory, flags;
    bool searched; /* in PATH, as execvp */
    char *const *argv;
    char *const *envp;
};

/* As execvp finds it; false where it is nowhere. */
static bool search(const char *name, char out[PATH_MAX])
{
    const char *at = getenv("PATH");
    if (strchr(name, '/'))
        return snprintf(out, PATH_MAX, "%s", name) < PATH_MAX;
    if (!at)
        at = "/bin:/usr/bin";
    for (;;) {
        size_t n = strcspn(at, ":");
        if (snprintf(out, PATH_MAX, "%.*s%s%s", (int)n, at, n ? "/" : "", name) < PATH_MAX &&
            access(out, X_OK) == 0)
            return true;
        if (at[n] == '\0')
            return false;
        at += n + 1;
    }
}

enum prospect {
    STARTS_NOT, /* for the kernel to refuse, so nothing ends here */
    STARTS_PLAIN,
    STARTS_MESHED
};

static bool is_refused(const char *path)
{
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0 &&
           (errno == ENOENT || errno == EACCES || errno == ENOTDIR);
}

/* Will the new image load this library? What may be executed but not read could be anything. */
static enum prospect prospect_of(const struct start *start)
{
    char path[PATH_MAX];
    if (start->path && start->searched) {
        if (!search(start->path, path))
            return STARTS_NOT;
    } else if (start->path && (start->path[0] == '/' || start->directory == AT_FDCWD)) {
        if (is_refused(start->path))
            return STARTS_NOT;
        snprintf(path, sizeof path, "%s", start->path);
    } else {
        snprintf(path, sizeof path, "/proc/self/fd/%d%s%s", start->directory,
                 start->path && *start->path ? "/" : "", start->path ? start->path : "");
    }
    return preload_reaches(start->envp) && program_look(path) == PROGRAM_DYNAMIC ? STARTS_MESHED
                                                                                 : STARTS_PLAIN;
}

static int execute(const struct start *start)
{
    if (start->searched)
        return libc.execvpe(start->path, start->argv, start->envp);
    if (!start->path)
        return libc.fexecve(start->directory, start->argv, start->envp);
    if (start->directory != AT_FDCWD || start->flags)
        return libc.execveat(start->directory, start->path, start->argv, start->envp, start->flags);
    return libc.execve(start->path, start->argv, start->envp);
}

/* A pointer that the kernel is to judge. */
static bool is_odd(const struct start *start)
{
    return (start->path && !is_readable(start->path, 1)) ||
           (start->envp && !is_readable(start->envp, sizeof *start->envp));
}

static int exec(const struct start *start)
{
    struct preload preload;
    struct handover handover;
    struct start meshed;
    enum prospect prospect;
    int error;
    /* One that is locked in does not look around; what it starts, if it may, gets no connection. */
    if (mesh_state == MESH_OFF || process_is_locked_in() || is_odd(start))
        return execute(start);
    meshed = *start;
    meshed.envp = preload_environment(&preload, start->envp);
    prospect = handover_matters() ? prospect_of(&meshed) : STARTS_NOT;
    if (prospect != STARTS_NOT)
        handover_exec(&handover, prospect == STARTS_MESHED);
    execute(&meshed);
    error = errno;
    if (prospect != STARTS_NOT)
        handover_stay(&handover);
    preload_free(&preload);
    return (int)as_result(-error);
}

int hook_execve(const char *path, char *const argv[], char *const envp[])
{
    return exec(&(struct start){ path, AT_FDCWD, 0, false, argv, envp });
}

int hook_execv(const char *path, char *const argv[])
{
    return exec(&(struct start){ path, AT_FDCWD, 0, false, argv, environ });
}

int hook_execvp(const char *file, char *const argv[])
{
    return exec(&(struct start){ file, AT_FDCWD, 0, true, argv, environ });
}

int hook_execvpe(const char *file, char *const argv[], char *const envp[])
{
    return exec(&(struct start){ file, AT_FDCWD, 0, true, argv, envp });
}

int hook_fexecve(int fd, char *const argv[], char *const envp[])
{
    return exec(&(struct start){ NULL, fd, 0, false, argv, envp });
}

int hook_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
    return exec(&(struct start){ path, fd, flags, false, argv, envp });
}

/* ---- arguments one by one ---- */

enum { FEW = 64 };

/* The arguments up to NULL, in `few` or, where they are more, in memory that lives as long as this image. */
static char **gather(char *few[FEW], const char *first, va_list *args)
{
    char **list = few;
    size_t n = 0, room = FEW;
    va_list again;
    va_copy(again, *args);
    for (const char *arg = first; arg; arg = va_arg(again, char *))
        n++;
    va_end(again);
    if (n + 1 > room)
        list = malloc((n + 1) * sizeof *list);
    n = 0;
    for (const char *arg = first; list && arg; arg = va_arg(*args, char *))
        list[n++] = (char *)(uintptr_t)arg;
    if (list)
        list[n] = NULL;
    return list;
}

static int exec_list(struct start start, const char *first, va_list *args, bool has_environment)
{
    char *few[FEW], **argv = gather(few, first, args);
    int result;
    if (!argv)
        return (int)as_result(-ENOMEM);
    start.argv = argv;
    start.envp = has_environment ? va_arg(*args, char **) : environ;
    result = exec(&start);
    if (argv != few)
        free(argv);
    return result;
}

#define EXEC_LIST(searched, has_environment)                                                                 \
    do {                                                                                                     \
        va_list args;                                                                                        \
        int result;                                                                                          \
        va_start(args, first);                                                                               \
        result = exec_list((struct start){ path, AT_FDCWD, 0, searched, NULL, NULL }, first, &args,          \
                           has_environment);                                                                 \
        va_end(args);                                                                                        \
        return result;                                                                                       \
    } while (0)

int hook_execl(const char *path, const char *first, ...)
{
    EXEC_LIST(false, false);
}

int hook_execlp(const char *path, const char *first, ...)
{
    EXEC_LIST(true, false);
}

int hook_execle(const char *path, const char *first, ...)
{
    EXEC_LIST(false, true);
}

/* ---- in a child that libc makes ---- */

typedef int spawn_call(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                       char *const[], char *const[]);

static int spawn(spawn_call *call, bool searched, pid_t *pid, const char *path,
                 const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                 char *const argv[], char *const envp[])
{
    struct preload preload;
    struct handover handover;
    const struct carriage carriage = { spawn_actions_carry, actions };
    char **meshed;
    pid_t child = -1;
    bool meshable;
    int result;
    if (mesh_state == MESH_OFF || !is_readable(path, 1))
        return call(pid, path, actions, attributes, argv, envp);
    meshed = preload_environment(&preload, envp);
    meshable = prospect_of(&(struct start){ path, AT_FDCWD, 0, searched, argv, meshed }) != STARTS_PLAIN;
    handover_spawn(&handover, meshable, &carriage);
    if (!meshable && spawn_actions_carry(actions, NULL)) {
        log_error("%s cannot be meshed and is not started, for a connection of the mesh is to be its "
                  "descriptor: it "
                  "would write to it in the clear (meshctl check PROGRAM tells why)",
                  path);
        result = EACCES;
    } else {
        result = call(&child, path, actions, attributes, argv, meshed);
    }
    handover_spawned(&handover, result == 0 ? child : -1);
    preload_free(&preload);
    if (result == 0 && pid)
        *pid = child;
    return result;
}

int hook_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                     const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    return spawn(libc.posix_spawn, false, pid, path, actions, attributes, argv, envp);
}

int hook_posix_spawnp(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                      const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    return spawn(libc.posix_spawnp, true, pid, path, actions, attributes, argv, envp);
}

/* libc starts it with the environment as it is now. */
static bool is_shell_meshable(void)
{
    return prospect_of(&(struct start){ "/bin/sh", AT_FDCWD, 0, false, NULL, environ }) != STARTS_PLAIN;
}

int hook_system(const char *command)
{
    struct handover handover;
    int result;
    if (mesh_state == MESH_OFF || !command)
        return libc.system(command);
    handover_spawn(&handover, is_shell_meshable(), NULL);
    result = libc.system(command);
    handover_spawned(&handover, -1); /* it has ended */
    return result;
}

FILE *hook_popen(const char *command, const char *mode)
{
    struct handover handover;
    FILE *file;
    if (mesh_state == MESH_OFF)
        return libc.popen(command, mode);
    handover_spawn(&handover, is_shell_meshable(), NULL);
    file = libc.popen(command, mode);
    handover_spawned(&handover, file ? 0 : -1);
    if (file)
        entry_new(fileno(file));
    return file;
}
