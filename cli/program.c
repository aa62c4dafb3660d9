/* See program.h. */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/program.h"

#include "base/banned.h"

enum { SCRIPTS_MOST = 5 }; /* as the kernel: a script's interpreter may be a script */

static bool is_executable_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* As execvp: a name with a slash is a path, another is looked for in PATH. */
static bool find_in_path(const char *name, char found[PATH_MAX])
{
    const char *path = getenv("PATH");
    if (!path)
        path = "/usr/local/bin:/usr/bin:/bin";
    for (;;) {
        size_t length = strcspn(path, ":");
        int n = snprintf(found, PATH_MAX, "%.*s%s%s", (int)length, path, length ? "/" : "./", name);
        if (n < PATH_MAX && is_executable_file(found))
            return true;
        if (path[length] == '\0')
            return false;
        path += length + 1;
    }
}

static bool find(const char *name, char found[PATH_MAX], struct buf *why)
{
    struct stat st;
    if (!strchr(name, '/')) {
        if (*name && strlen(name) < NAME_MAX && find_in_path(name, found))
            return true;
        buf_printf(why, "there is no program '%s' in PATH; install it, or give its path", name);
    } else if (stat(name, &st) != 0) {
        buf_printf(why, "cannot find %s (%s); check the path", name, strerror(errno));
    } else if (!S_ISREG(st.st_mode) || access(name, X_OK) != 0) {
        buf_printf(why, "%s is not an executable file; give the program itself, or 'chmod +x' it", name);
    } else if (snprintf(found, PATH_MAX, "%s", name) < PATH_MAX) {
        return true;
    }
    found[0] = '\0';
    return false;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* "#!/usr/bin/env -S NAME=x python3 -u": the program that env will run. */
static char *env_program(char *rest)
{
    char *save, *word = strtok_r(rest, " \t", &save);
    while (word && (word[0] == '-' || strchr(word, '=')))
        word = strtok_r(NULL, " \t", &save);
    return word;
}

/* The first line behind "#!": its program, and for env what env runs. */
static bool script_interpreter(char *line, char out[PATH_MAX], struct buf *why)
{
    char *save, *interpreter, *rest;

    line[strcspn(line, "\r")] = '\0';
    interpreter = strtok_r(line, " \t", &save);
    if (!interpreter) {
        buf_puts(why, "its first line is '#!' without an interpreter; mend it");
        return false;
    }
    rest = strcmp(base_name(interpreter), "env") == 0 ? env_program(save) : NULL;
    return find(rest ? rest : interpreter, out, why);
}

/* The dynamic loader ignores LD_PRELOAD for a program that gains privileges, or takes system directories only. */
static bool judge_privileges(const char *path, enum program_gain gain, struct buf *why)
{
    static const char *const what[] = {
        [GAINS_USER] = "is set-uid",
        [GAINS_GROUP] = "is set-gid",
        [GAINS_CAPABILITIES] = "has file capabilities",
    };
    if (gain == GAINS_NOTHING)
        return true;
    buf_printf(why,
               "%s %s, so the dynamic loader ignores LD_PRELOAD; run a copy without that (%s) as the right "
               "user, for "
               "instance from a service manager that grants the capability",
               path, what[gain], gain == GAINS_CAPABILITIES ? "setcap -r" : "chmod ug-s");
    return false;
}

static bool judge_libc(const char *path, const struct elf_facts *facts, struct buf *why)
{
    const char *loader = base_name(facts->interpreter);
    if (!facts->has_interpreter)
        buf_printf(
            why,
            "%s is linked statically, so nothing can be preloaded into it; use a dynamically linked build of "
            "it, or a sidecar proxy",
            path);
    else if (strstr(loader, "musl"))
        buf_printf(
            why,
            "%s is built for musl (%s) and the library for glibc; use a glibc build of it, for instance from "
            "a Debian-based image instead of an Alpine one",
            path, facts->interpreter);
    else if (strncmp(loader, "ld-linux", 8) != 0 && strncmp(loader, "ld64.so", 7) != 0 &&
             strncmp(loader, "ld.so", 5) != 0)
        buf_printf(why, "%s runs on another C library than glibc (its loader is %s); use a glibc build of it",
                   path, facts->interpreter);
    else
        return true;
    return false;
}

static bool judge_elf(const char *path, const struct program_file *file, struct buf *why)
{
    const struct elf_facts *facts = &file->elf;
    if (facts->is_32bit)
        buf_printf(why, "%s is a 32-bit program and the library is 64-bit; use a 64-bit build of it", path);
    else if (!facts->is_native)
        buf_printf(why, "%s is built for another processor (ELF machine %u); use a build for this one", path,
                   facts->machine);
    else if (facts->is_damaged)
        buf_printf(why, "%s is damaged: it is cut short, or its tables lie outside the file; install it anew",
                   path);
    else if (!facts->is_program)
        buf_printf(why, "%s is an object file, not a program; give the program that is linked from it", path);
    else if (facts->is_go)
        buf_printf(
            why,
            "%s is a Go program: it makes raw system calls instead of calling libc, so the library would see "
            "nothing; use its own TLS or a sidecar proxy",
            path);
    else
        return judge_libc(path, facts, why) && judge_privileges(path, file->gain, why);
    return false;
}

static bool look_at(const char *path, struct program_file *file)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        memset(file, 0, sizeof *file);
        file->error = errno;
        return false;
    }
    program_look_at(fd, file);
    close(fd);
    return file->error == 0;
}

enum step { STEP_GOOD, STEP_BAD, STEP_FOLLOW };

/* One file on the way from a script to the program that runs it. */
static enum step look_once(const char *path, char next[PATH_MAX], struct buf *why)
{
    struct program_file file;

    if (!look_at(path, &file))
        buf_printf(why, "cannot read %s (%s), so it cannot be judged; --force runs it all the same", path,
                   strerror(file.error));
    else if (file.elf.is_elf)
        return judge_elf(path, &file, why) ? STEP_GOOD : STEP_BAD;
    else if (file.kind == PROGRAM_SCRIPT)
        return script_interpreter(file.line, next, why) ? STEP_FOLLOW : STEP_BAD;
    else
        buf_printf(why, "%s is neither an ELF program nor a script; give the program itself", path);
    return STEP_BAD;
}

bool program_judge(const char *name, struct program *program, struct buf *why)
{
    char current[PATH_MAX], next[PATH_MAX];

    memset(program, 0, sizeof *program);
    if (!find(name, program->path, why))
        return false;
    program->found = true;
    memcpy(current, program->path, sizeof current);
    for (int i = 0; i < SCRIPTS_MOST; i++) {
        enum step step = look_once(current, next, why);
        if (step != STEP_FOLLOW)
            return step == STEP_GOOD;
        memcpy(program->interpreter, next, sizeof next);
        memcpy(current, next, sizeof next);
    }
    buf_printf(why,
               "%s is a script of a script of a script, deeper than the kernel follows; mend its first line",
               program->path);
    return false;
}
