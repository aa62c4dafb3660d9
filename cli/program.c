/* See program.h. */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/program.h"
#include "judge.h"
#include "script.h"

#include "base/banned.h"

enum { SCRIPTS_MOST = 5 /* as the kernel */, WRAPPERS_MOST = 3, COMMANDS_MOST = 8 };

/* What a look gathers on its way. */
struct look {
    const char *library;
    struct program *program;
    struct buf *why, *doubts;
    int wrappers; /* how deep we are in scripts that execute scripts */
};

/* --- finding --- */

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

static bool find_by_path(const char *path, char found[PATH_MAX], struct buf *why)
{
    struct stat st;
    found[0] = '\0';
    if (stat(path, &st) != 0)
        buf_printf(why, "cannot find %s (%s); check the path", path, strerror(errno));
    else if (S_ISDIR(st.st_mode))
        buf_printf(why, "%s is a directory, not an executable file; give the program in it", path);
    else if (!S_ISREG(st.st_mode))
        buf_printf(why, "%s is not an executable file, nor any other file; give the program itself", path);
    else if (access(path, X_OK) != 0)
        buf_printf(why, "%s is not an executable file; give the program itself, or 'chmod +x' it", path);
    else
        return snprintf(found, PATH_MAX, "%s", path) < PATH_MAX;
    return false;
}

static bool find(const char *name, char found[PATH_MAX], struct buf *why)
{
    if (strchr(name, '/'))
        return find_by_path(name, found, why);
    if (*name && strlen(name) < NAME_MAX && find_in_path(name, found))
        return true;
    buf_printf(why, "there is no program '%s' in PATH; install it, or give its path", name);
    found[0] = '\0';
    return false;
}

/* --- following --- */

static bool look_at(const char *path, struct program_file *file, struct buf *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    memset(file, 0, sizeof *file);
    if (fd < 0)
        file->error = errno;
    else
        program_look_at(fd, file);
    if (fd >= 0)
        close(fd);
    if (file->error)
        buf_printf(why, "cannot read %s (%s), so it cannot be judged; see who may read it", path,
                   strerror(file->error));
    return file->error == 0;
}

static bool judge_path(struct look *look, const char *path);

/* A program that a wrapper executes. True where there is nothing to be refused for. */
static bool judge_command(struct look *look, const char *path, const struct script_command *command)
{
    struct buf why = BUF_INIT;
    struct program program;
    struct look inner = { look->library, &program, &why, look->doubts, look->wrappers + 1 };
    char found[PATH_MAX];
    bool is_good;

    memset(&program, 0, sizeof program);
    /* One that is not there is the script's affair. */
    is_good = !find(command->name, found, &why) || judge_path(&inner, found);
    if (!is_good)
        buf_printf(command->is_certain ? look->why : look->doubts,
                   "%s is a shell script that executes %s, and %s%s", path, command->name, buf_text(&why),
                   command->is_certain ? "" : "\n");
    buf_free(&why);
    return is_good || !command->is_certain;
}

static bool judge_wrapper(struct look *look, const char *path)
{
    struct script_command command;
    struct script script;
    bool is_good = true;

    if (look->wrappers == WRAPPERS_MOST)
        return true;
    script_open(&script, path);
    for (int i = 0; i < COMMANDS_MOST && is_good && script_next(&script, &command); i++)
        is_good = judge_command(look, path, &command);
    script_close(&script);
    return is_good;
}

/* The file that runs a script: in PATH where env looks for it, else as the kernel takes it. */
static bool find_interpreter(const char *path, char *line, char next[PATH_MAX], struct buf *why)
{
    bool by_env;
    const char *name = script_interpreter(path, line, &by_env, why);
    return name && (by_env ? find(name, next, why) : find_by_path(name, next, why));
}

/* From a script to the program that runs it. */
static bool judge_path(struct look *look, const char *path)
{
    char current[PATH_MAX], next[PATH_MAX];
    struct program_file file;
    struct needs needs;

    snprintf(current, sizeof current, "%s", path);
    for (int i = 0; i < SCRIPTS_MOST; i++) {
        if (!look_at(current, &file, look->why))
            return false;
        if (file.elf.is_elf) {
            if (!judge_elf(current, &file, look->library, &needs, look->why, look->doubts))
                return false;
            memcpy(look->program->sanitizer, needs.sanitizer, sizeof needs.sanitizer);
            return i != 1 || !script_is_for_shell(current) || judge_wrapper(look, path);
        }
        if (file.kind != PROGRAM_SCRIPT) {
            buf_printf(look->why, "%s is neither an ELF program nor a script; give the program itself",
                       current);
            return false;
        }
        if (!find_interpreter(current, file.line, next, look->why))
            return false;
        memcpy(look->program->interpreter, next, sizeof next);
        memcpy(current, next, sizeof next);
    }
    buf_printf(look->why,
               "%s is a script of a script of a script, deeper than the kernel follows; mend its first line",
               path);
    return false;
}

bool program_judge(const char *name, const char *library, struct program *program, struct buf *why,
                   struct buf *doubts)
{
    struct look look = { library, program, why, doubts, 0 };

    memset(program, 0, sizeof *program);
    if (!find(name, program->path, why))
        return false;
    program->found = true;
    return judge_path(&look, program->path);
}
