/* See judge.h. */
#include "judge.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/banned.h"

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* sudo and its like start another program, which is the one to be meshed; those of containers are Go or static. */
static bool is_door(const char *path)
{
    static const char *const doors[] = { "sudo",    "su",   "doas",        "pkexec",    "runuser",  "gosu",
                                         "su-exec", "tini", "tini-static", "dumb-init", "catatonit" };
    for (size_t i = 0; i < sizeof doors / sizeof *doors; i++)
        if (strcmp(base_name(path), doors[i]) == 0)
            return true;
    return false;
}

/* What is in the way, and what to do instead. */
static void put_refusal(struct buf *why, const char *path, const char *fact, const char *advice)
{
    buf_printf(why, "%s %s; ", path, fact);
    if (is_door(path))
        buf_printf(why, "put meshctl behind it: %s … meshctl run -- PROGRAM", base_name(path));
    else
        buf_puts(why, advice);
}

static bool has_no_privileges(const char *path, enum program_gain gain, struct buf *why)
{
    static const struct {
        const char *fact, *advice;
    } refusals[] = {
        [GAINS_USER] = { "is set-uid, so the dynamic loader ignores LD_PRELOAD",
                         "start a copy without the bit (chmod u-s) as the user that it is to be" },
        [GAINS_GROUP] = { "is set-gid, so the dynamic loader ignores LD_PRELOAD",
                          "start a copy without the bit (chmod g-s) in the group that it is to be in" },
        [GAINS_CAPABILITIES] = { "has file capabilities, so the dynamic loader ignores LD_PRELOAD",
                                 "give a copy without them (setcap -r) what it needs from its starter "
                                 "instead, such "
                                 "as systemd's AmbientCapabilities" },
    };
    if (gain != GAINS_NOTHING)
        put_refusal(why, path, refusals[gain].fact, refusals[gain].advice);
    return gain == GAINS_NOTHING;
}

/* The dynamic loader itself is a program without one: "ld.so PROGRAM" starts PROGRAM, with LD_PRELOAD. */
static bool is_loader(const struct needs *needs)
{
    return *needs->soname && elf_loader_is_glibc(needs->soname);
}

static bool has_glibc(const char *path, const struct elf_facts *facts, const struct needs *needs,
                      struct buf *why)
{
    if (!facts->has_interpreter && *needs->soname)
        buf_printf(why, "%s is a shared library (%s), not a program; give the program that uses it", path,
                   needs->soname);
    else if (!facts->has_interpreter)
        put_refusal(why, path, "is linked statically, so nothing can be preloaded into it",
                    "use a dynamically linked build of it, or a sidecar proxy");
    else if (strstr(base_name(facts->interpreter), "musl"))
        buf_printf(
            why,
            "%s is built for musl (%s) and the library for glibc; use a glibc build of it, for instance from "
            "a Debian-based image instead of an Alpine one",
            path, facts->interpreter);
    else if (!elf_loader_is_glibc(facts->interpreter))
        buf_printf(why, "%s runs on another C library than glibc (its loader is %s); use a glibc build of it",
                   path, facts->interpreter);
    else if (access(facts->interpreter, X_OK) != 0)
        buf_printf(why, "%s needs the dynamic loader %s, which is not there; install its C library", path,
                   facts->interpreter);
    else
        return true;
    return false;
}

/* The libc that comes with a loader: in its directory, or in the one that it is a link to. */
static bool libc_beside(const char *loader, char path[PATH_MAX])
{
    char real[PATH_MAX];
    const char *const places[] = { loader, realpath(loader, real) ? real : NULL };
    for (size_t i = 0; i < 2 && places[i]; i++) {
        int directory = (int)(base_name(places[i]) - places[i]);
        if (snprintf(path, PATH_MAX, "%.*slibc.so.6", directory, places[i]) < PATH_MAX &&
            access(path, R_OK) == 0)
            return true;
    }
    return false;
}

/* Whether the library loads on this system's glibc is tried elsewhere; a program may bring another one. */
static bool has_new_glibc(const char *path, const char *loader, const char *library, struct buf *why)
{
    char libc[PATH_MAX];
    struct needs has, wants;

    if (!library || !needs_read(library, &wants) || !libc_beside(loader, libc) || !needs_read(libc, &has) ||
        has.glibc == 0 || has.glibc >= wants.glibc)
        return true;
    buf_printf(why,
               "%s runs on glibc 2.%u (%s) and the library needs 2.%u; build the library on a system with "
               "that glibc, "
               "or use a build of the program for this one",
               path, has.glibc, libc, wants.glibc);
    return false;
}

static bool is_program_of_ours(const char *path, const struct elf_facts *facts, struct buf *why)
{
    if (facts->is_32bit)
        buf_printf(why, "%s is a 32-bit program and the library is 64-bit; use a 64-bit build of it", path);
    else if (!facts->is_native)
        buf_printf(why, "%s is built for another processor (ELF machine %u); use a build for this one", path,
                   facts->machine);
    else if (!facts->is_program)
        buf_printf(why, "%s is an object file, not a program; give the program that is linked from it", path);
    else if (facts->is_damaged)
        buf_printf(why, "%s is damaged: it is cut short, or its tables lie outside the file; install it anew",
                   path);
    else if (facts->is_go)
        put_refusal(
            why, path,
            "is a Go program: it makes raw system calls instead of calling libc, so the library would see "
            "nothing",
            "use its own TLS or a sidecar proxy");
    else if (facts->is_pascal && facts->has_interpreter)
        put_refusal(why, path,
                    "is a Free Pascal program: its run-time system makes raw system calls instead of calling "
                    "libc, so the library would see nothing",
                    "use its own TLS or a sidecar proxy");
    else
        return true;
    return false;
}

static void add_doubts(const char *path, const struct needs *needs, struct buf *doubts)
{
    if (*needs->uring)
        buf_printf(
            doubts,
            "%s uses io_uring (%s), whose work the library does not see: connections that it makes are plain "
            "text; switch the program to epoll where it can be, and look for them in 'meshctl stats'\n",
            path, needs->uring);
    if (needs->may_sandbox)
        buf_printf(doubts,
                   "%s may put itself under a seccomp filter: connections that it has by then go on, for the "
                   "library allows what it needs for them; should a later one fail, let the filter allow "
                   "memfd_create, mmap, futex, fcntl, getsockopt, timerfd and epoll\n",
                   path);
}

bool judge_elf(const char *path, const struct program_file *file, const char *library, struct needs *needs,
               struct buf *why, struct buf *doubts)
{
    memset(needs, 0, sizeof *needs);
    if (!is_program_of_ours(path, &file->elf, why))
        return false;
    needs_read(path, needs);
    if (!is_loader(needs) && !has_glibc(path, &file->elf, needs, why))
        return false;
    if (!has_no_privileges(path, file->gain, why) ||
        !has_new_glibc(path, file->elf.interpreter, library, why))
        return false;
    add_doubts(path, needs, doubts);
    return true;
}
