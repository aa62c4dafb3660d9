// links: libmeshshim/conn/*.c libmeshshim/conn/*/*.c libmeshshim/hook/preload.c
/*
 * Environments: what MESHSHIM_* says at start-up, and what a program hands to what it starts. Start-up ends with a configuration or with
 * problems that are told; what is started loads the library, unless it is told not to, and finds all else as the program had it.
 */
#include <stdlib.h>
#include <unistd.h>

#include "hook/preload.h"
#include "open_conn.h"
#include "policy/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { ENTRIES = 300 };

static const char config[] =
    "[workload]\nname = web\ncertificate = c.pem\nprivate_key = k.pem\ntrust_bundle = b.pem\n[inbound]\n"
    "mtls = strict\n";
static char own_name[64]; /* as LD_PRELOAD names what stands for the library here: this program */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char list[128];
    (void)argc;
    process_init();
    snprintf(own_name, sizeof own_name, "%s", base_name((*argv)[0]));
    snprintf(list, sizeof list, "/usr/lib/%s", own_name);
    setenv("LD_PRELOAD", list, 1);
    setenv("MESHSHIM_CONFIG", "/nowhere/mesh.ini", 1);
    setenv("MESHSHIM_LOG_FILE", "/dev/null", 1);
    preload_remember();
    unsetenv("LD_PRELOAD");
    return 0;
}

/* "NAME=value", often one that means something; NULL at the end of the input. */
static char *entry_of(struct input *in)
{
    static const char *const names[] = { "LD_PRELOAD=",           "LD_PRELOAD",
                                         "MESHSHIM_CONFIG=",      "MESHSHIM_DISABLE=",
                                         "MESHSHIM_DISABLE=1",    "MESHSHIM_LOG=",
                                         "MESHSHIM_WORKLOAD=",    "MESHSHIM_NAMESPACE=",
                                         "MESHSHIM_CERTIFICATE=", "MESHSHIM_TRUST_DOMAIN=",
                                         "MESHSHIM_RUNTIME_DIR=", "XDG_RUNTIME_DIR=",
                                         "LD_PRELOAD=/usr/lib/",  "" };
    const char *name = names[input_u8(in) % (sizeof names / sizeof names[0])];
    size_t n = input_u8(in) % 64 * (input_u8(in) % 16 ? 1 : 16), start = strlen(name);
    char *entry = malloc(start + n + sizeof own_name + 1);
    memcpy(entry, name, start);
    input_bytes(in, entry + start, n);
    entry[start + n] = '\0';
    if (input_u8(in) % 4 == 0)
        memcpy(entry + strlen(entry), own_name, strlen(own_name) + 1);
    return entry;
}

static bool has(char *const envp[], const char *entry)
{
    while (*envp && strcmp(*envp, entry) != 0)
        envp++;
    return *envp != NULL;
}

static const char *value_of(char *const envp[], const char *name)
{
    size_t n = strlen(name);
    while (*envp && strncmp(*envp, name, n) != 0)
        envp++;
    return *envp ? *envp + n : NULL;
}

/* As the loader does: the last one. */
static const char *preload_of(char *const envp[])
{
    const char *list = NULL;
    for (; *envp; envp++)
        if (strncmp(*envp, "LD_PRELOAD=", 11) == 0)
            list = *envp + 11;
    return list;
}

static void hand_over(char **envp)
{
    struct preload preload;
    char **out = preload_environment(&preload, envp);
    const char *disabled = value_of(envp, "MESHSHIM_DISABLE="), *list = preload_of(out);
    if (disabled && strcmp(disabled, "1") == 0) {
        must(out == envp && !preload_reaches(out));
    } else {
        const char *theirs = preload_of(envp);
        must(list && strstr(list, own_name) && value_of(out, "MESHSHIM_CONFIG="));
        must(!theirs || strncmp(list, theirs, strlen(theirs)) == 0);
        preload_reaches(out);
        for (char **entry = envp; *entry; entry++)
            must(strncmp(*entry, "LD_PRELOAD=", 11) == 0 || has(out, *entry));
    }
    preload_free(&preload);
}

static void start_up(void)
{
    struct buf problems = BUF_INIT;
    struct snapshot *snapshot;
    bool is_explicit;
    log_init();
    must(*config_path(&is_explicit) != '\0');
    snapshot = config_parse("/etc/mesh.ini", config, sizeof config - 1, &problems);
    must((snapshot != NULL) == (problems.length == 0));
    if (snapshot) {
        const struct workload *workload = snapshot_workload(snapshot);
        must(strncmp(workload->spiffe_id, "spiffe://", 9) == 0 && workload->runtime_dir);
        must(!strchr(workload->spiffe_id, '\n') && !strstr(workload->spiffe_id, "/../"));
    }
    snapshot_unref(snapshot);
    buf_free(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    char *entries[ENTRIES + 1], **saved = environ;
    size_t n = 0;
    while (in.left && n < ENTRIES)
        entries[n++] = entry_of(&in);
    entries[n] = NULL;
    hand_over(entries);
    if (!value_of(entries, "MESHSHIM_LOG_FILE=")) {
        environ = entries;
        start_up();
        environ = saved;
    }
    while (n > 0)
        free(entries[--n]);
    return 0;
}
