// links: libmeshshim/conn/*.c libmeshshim/conn/*/*.c libmeshshim/hook/hook_names.c
/*
 * Names that a program looks up, and what a resolver answers: any name, any family, any number of addresses. What was looked up last under a
 * service's name is what the address is known by, and no other name is.
 */
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/libc.h"
#include "conn/names.h"
#include "hook/export.h"
#include "open_conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { ANSWERS = 8 };

static const char config[] =
    "[workload]\nname = web\ncertificate = c.pem\nprivate_key = k.pem\ntrust_bundle = b.pem\n"
    "[service cache]\nhost = cache, a.cache.svc\nport = 6379\n"
    "[service far]\nhost = far.example\nendpoints = 192.0.2.7:80\n[service net]\nhost = 198.51.100.0/24\n";
static struct input input;
static struct addrinfo answers[ANSWERS];
static struct sockaddr_storage addresses[ANSWERS];

static int any_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                           struct addrinfo **result)
{
    int n = input_u8(&input) % (ANSWERS + 1);
    (void)node, (void)service, (void)hints;
    if (n == 0)
        return EAI_NONAME;
    for (int i = 0; i < n; i++) {
        static const sa_family_t families[] = { AF_INET, AF_INET6, AF_UNIX, 999 };
        input_bytes(&input, &addresses[i], 2 + input_u8(&input) % 28);
        addresses[i].ss_family = families[input_u8(&input) % 4];
        answers[i] =
            (struct addrinfo){ .ai_addr = input_u8(&input) % 8 ? (struct sockaddr *)&addresses[i] : NULL,
                               .ai_addrlen = input_u8(&input),
                               .ai_next = i + 1 < n ? &answers[i + 1] : NULL };
    }
    *result = answers;
    return 0;
}

static struct hostent *any_gethostbyname2(const char *name, int domain)
{
    static uint8_t bytes[ANSWERS][16];
    static char *list[ANSWERS + 1];
    static struct hostent host = { .h_addr_list = list };
    int n = input_u8(&input) % (ANSWERS + 1);
    (void)name;
    host.h_addrtype = domain;
    host.h_length = domain == AF_INET6 ? 16 : 4;
    for (int i = 0; i < n; i++) {
        input_bytes(&input, bytes[i], sizeof bytes[i]);
        list[i] = (char *)bytes[i];
    }
    list[n] = NULL;
    return input_u8(&input) % 4 ? &host : NULL;
}

static struct hostent *any_gethostbyname(const char *name)
{
    return any_gethostbyname2(name, AF_INET);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char path[] = "/tmp/meshshim-fuzz-names.XXXXXX";
    int fd = mkstemp(path);
    (void)argc;
    (void)argv;
    must(fd >= 0 && write(fd, config, sizeof config - 1) == sizeof config - 1);
    close(fd);
    setenv("MESHSHIM_CONFIG", path, 1);
    open_conn_init();
    mesh_init();
    unlink(path);
    must(mesh_state == MESH_ON);
    libc.getaddrinfo = any_getaddrinfo;
    libc.gethostbyname = any_gethostbyname;
    libc.gethostbyname2 = any_gethostbyname2;
    return 0;
}

static bool is_a_service(const char *name)
{
    struct snapshot *snapshot = mesh_snapshot();
    bool known = snapshot_match_name(snapshot, name);
    snapshot_unref(snapshot);
    return known;
}

static void look_up(const char *name)
{
    struct addrinfo *result = NULL;
    char known[256];
    if (hook_getaddrinfo(name, NULL, NULL, &result) != 0)
        return;
    for (; result; result = result->ai_next) {
        bool is_ip = result->ai_addr &&
                     (result->ai_addr->sa_family == AF_INET || result->ai_addr->sa_family == AF_INET6);
        if (!result->ai_addr)
            continue;
        if (names_of(result->ai_addr, known, sizeof known))
            must(is_ip && is_a_service(known));
        else
            must(!is_ip || !is_a_service(name) || strlen(name) >= sizeof known);
        if (is_ip && is_a_service(name) && strlen(name) < sizeof known)
            must(strcmp(known, name) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const services[] = { "cache", "a.cache.svc", "far.example", "198.51.100.1",
                                            "elsewhere" };
    char name[400];
    input = (struct input){ data, size };
    for (int i = 0; i < 20 && input.left; i++) {
        uint8_t which = input_u8(&input);
        size_t n = which & 1 ? input_u16(&input) % sizeof name : 0;
        input_bytes(&input, name, n);
        name[n < sizeof name ? n : n - 1] = '\0';
        if (!(which & 1))
            snprintf(name, sizeof name, "%s", services[which / 2 % 5]);
        else if (which & 2)
            snprintf(name + strlen(name), sizeof name - strlen(name), ".cache.svc");
        if (which & 0x80)
            hook_gethostbyname2(name, which & 0x40 ? AF_INET6 : AF_INET);
        else if (which & 0x20)
            hook_gethostbyname(name);
        else
            look_up(name);
    }
    return 0;
}
