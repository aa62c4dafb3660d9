/* See script.h. */
#include "script.h"

#include "base/file.h"

#include "base/banned.h"

enum { SCRIPT_MOST = 64 << 10 }; /* a wrapper is short */

static const char blanks[] = " \t";

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Cuts the first word off; "" at the end. */
static char *next_word(char **rest)
{
    char *word = *rest + strspn(*rest, blanks);
    *rest = word + strcspn(word, blanks);
    if (**rest)
        *(*rest)++ = '\0';
    return word;
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

/* Behind env's options and assignments: the program that it will run, "" where there is none. */
static char *behind_env(char *rest)
{
    static const char *const with_argument[] = { "-u", "--unset", "-C", "--chdir", NULL };
    char *word = next_word(&rest);
    while (*word && (*word == '-' || strchr(word, '='))) {
        if (is_one_of(word, with_argument))
            next_word(&rest);
        word = next_word(&rest);
    }
    return word;
}

/* The kernel hands all behind the interpreter over as one argument; env splits it where that begins with -S. */
static char *env_program(char *rest)
{
    rest += strspn(rest, blanks);
    if (strncmp(rest, "-S", 2) == 0)
        return behind_env(rest + 2);
    if (strncmp(rest, "-vS", 3) == 0)
        return behind_env(rest + 3);
    return rest;
}

const char *script_interpreter(const char *path, char *line, bool *by_env, struct buf *why)
{
    char *interpreter, *end = line + strlen(line);

    while (end > line && strchr(blanks, end[-1]))
        *--end = '\0';
    *by_env = false;
    if (end > line && end[-1] == '\r') {
        buf_printf(why,
                   "the first line of %s ends in a carriage return, which the kernel takes for a part of the "
                   "interpreter's name; take the carriage returns away (sed -i 's/\\r$//')",
                   path);
        return NULL;
    }
    interpreter = next_word(&line);
    if (!*interpreter) {
        buf_printf(why, "the first line of %s is '#!' without an interpreter; write one there", path);
        return NULL;
    }
    line += strspn(line, blanks);
    if (strcmp(base_name(interpreter), "env") != 0 || !*line)
        return interpreter;
    *by_env = true;
    return env_program(line);
}

bool script_is_for_shell(const char *interpreter)
{
    static const char *const shells[] = { "sh", "bash", "dash", "ksh", "zsh", "ash", NULL };
    return is_one_of(base_name(interpreter), shells);
}

/* --- what a wrapper executes --- */

void script_open(struct script *script, const char *path)
{
    size_t length;
    *script = (struct script){ NULL, NULL, true };
    if (file_read(path, SCRIPT_MOST, &script->text, &length) != 0)
        script->text = NULL;
    script->rest = script->text;
}

void script_close(struct script *script)
{
    free(script->text);
    *script = (struct script){ NULL, NULL, false };
}

/* "NAME=value" and nothing behind it. */
static bool is_assignment(const char *line)
{
    size_t name = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    const char *value = line + name + 1;
    size_t length;

    if (name == 0 || line[name] != '=')
        return false;
    length = strlen(value);
    if (length >= 2 && (*value == '"' || *value == '\''))
        return strchr(value + 1, *value) == value + length - 1;
    return !strpbrk(value, blanks);
}

/* A line after which the next one comes. */
static bool is_plain(const char *line)
{
    static const char *const words[] = { "export", "set",      "unset", "umask", "ulimit",
                                         "cd",     "readonly", ":",     NULL };
    size_t length = strlen(line);
    char word[16];

    if (*line == '\0' || *line == '#')
        return true;
    if (strpbrk(line, ";|&") || line[length - 1] == '\\')
        return false;
    snprintf(word, sizeof word, "%.*s", (int)strcspn(line, blanks), line);
    return is_one_of(word, words) || is_assignment(line);
}

static bool is_redirection(const char *word)
{
    word += strspn(word, "0123456789&");
    return *word == '<' || *word == '>';
}

/* Without a pair of quotes around it. "" where only a shell could tell what it stands for. */
static char *unquoted(char *word)
{
    size_t length = strlen(word);
    if (length >= 2 && (*word == '"' || *word == '\'') && word[length - 1] == *word) {
        word[length - 1] = '\0';
        word++;
    }
    return strpbrk(word, "$`*?~\"'(){}<>|&;\\") ? word + strlen(word) : word;
}

/* Behind "exec", its options and env's: the word that names the program. */
static char *executed(char *rest)
{
    char *word = next_word(&rest);
    while (*word == '-') {
        if (word[strlen(word) - 1] == 'a')
            next_word(&rest); /* the name that the program is to see */
        word = next_word(&rest);
    }
    return unquoted(strcmp(base_name(word), "env") == 0 ? behind_env(rest) : word);
}

bool script_next(struct script *script, struct script_command *command)
{
    char *line;
    while ((line = strsep(&script->rest, "\n")) != NULL) {
        line += strspn(line, blanks);
        if (strncmp(line, "exec", 4) == 0 && strchr(blanks, line[4]) && line[4]) {
            char *rest = line + 5;
            command->is_certain = script->is_certain;
            if (is_redirection(rest + strspn(rest, blanks)))
                continue;
            snprintf(command->name, sizeof command->name, "%s", executed(rest));
            script->is_certain = false; /* nobody comes behind it, unless this one was in an `if` */
            if (*command->name)
                return true;
        } else if (!is_plain(line)) {
            script->is_certain = false;
        }
    }
    return false;
}
