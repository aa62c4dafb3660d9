// links: libmeshshim/conn/*.c libmeshshim/conn/*/*.c libmeshshim/admin/views.c tests/unit/certs.c
/*
 * What a new image finds: a memfd that says it is a family's, with anything in it, and connections in any state, of which it may say
 * anything. Whatever that is, a connection that the configuration protects is never the kernel's own business afterwards, and its first
 * bytes are no plain text.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "../unit/certs.h"
#include "base/clock.h"
#include "conn/family/family.h"
#include "conn/handover/adopt.h"
#include "open_conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { NOBODY = 0x3fffffff };

static void write_file(const char *path, char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    free(text);
}

/* An identity of its own, strict on every port, and a service where the fuzzer's listener is. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static struct cert root, leaf; /* kept */
    const struct cert *chain = &leaf, *bundle = &root;
    char directory[] = "/tmp/meshshim-fuzz-adopt.XXXXXX", path[5][64], *config;
    static const char *const names[] = { "cert.pem", "key.pem", "ca.pem", "mesh.ini", "" };
    (void)argc;
    (void)argv;
    must(mkdtemp(directory) != NULL);
    for (int i = 0; i < 5; i++)
        snprintf(path[i], sizeof path[i], "%s/%s", directory, names[i]);
    root = cert_make(&(struct cert_spec){ .name = "root", .ca = true });
    leaf = cert_make(&(struct cert_spec){
        .name = "web", .alt = "URI:spiffe://mesh.local/ns/default/sa/web", .issuer = &root });
    write_file(path[0], cert_chain_pem(&chain, 1));
    write_file(path[1], cert_key_pem(&leaf, KEY_PKCS8));
    write_file(path[2], cert_chain_pem(&bundle, 1));
    open_conn_init();
    must(asprintf(&config,
                  "[workload]\nname = web\ncertificate = %s\nprivate_key = %s\ntrust_bundle = "
                  "%s\nruntime_dir = %s\n[inbound]\nmtls = "
                  "strict\n[service cache]\nhost = 127.0.0.1\nport = %u\n",
                  path[0], path[1], path[2], directory, ntohs(listens.sin_port)) > 0);
    write_file(path[3], config);
    setenv("MESHSHIM_CONFIG", path[3], 1);
    mesh_init();
    for (int i = 0; i < 5; i++)
        remove(path[i]);
    must(mesh_state == MESH_ON);
    return 0;
}

/* A family with one connection, as somebody else has left it; the image that had it is gone. */
static int leave_behind(struct input *in, int fd, uint8_t how)
{
    struct conn *conn = conn_new(fd, CONN_SHAKING);
    struct shared *shared;
    int kept;
    must(conn && conn_share(conn));
    shared = conn->shared;
    shared->inbound = how & 1;
    snprintf(shared->about.service, sizeof shared->about.service, "cache");
    atomic_store(&shared->established, how >> 1 & 1);
    atomic_store(&shared->shaker, how & 4 ? NOBODY : 0);
    for (int i = 0; i < 8 && in->left; i++) {
        if (input_u8(in) & 1)
            input_scribble(in, shared, sizeof *shared);
        else
            input_scribble(in, family, sizeof *family);
    }
    tame(&family->growth);
    for (int i = 0; i < FAMILY_BUCKETS; i++)
        tame(&family->bucket[i].lock);
    tame(family_at(FAMILY_CHUNK));
    tame(&shared->rx.lock);
    tame(&shared->tx.lock);
    tame(&shared->holders_lock);
    kept = fcntl(family_fd(), F_DUPFD, 3);
    conn_each(forget, NULL);
    fdtable_clear(fd, fdtable_get(fd));
    slots_release(slots_own());
    family_part();
    slots_claim(-1);
    return kept;
}

/* Or a file that only says so: of any size, sealed or not. */
static int make_up(struct input *in)
{
    int fd = (int)syscall(SYS_memfd_create, "meshshim-family", MFD_ALLOW_SEALING);
    char start[256] = "meshfam";
    must(fd >= 0 && ftruncate(fd, (off_t)input_u8(in) << 20) == 0);
    input_bytes(in, start + 8, input_u8(in) % (sizeof start - 8));
    must(pwrite(fd, start, sizeof start, 0) > 0);
    fcntl(fd, F_ADD_SEALS, input_u8(in) % 16 & ~F_SEAL_WRITE);
    return fd;
}

static void nothing(void)
{
}

/* What is sent must not be what the program says. */
static void speak(int fd, int peer)
{
    static const char words[] = "these words are for nobody else";
    struct conn *conn = fdtable_get(fd);
    struct iovec span = { (void *)(uintptr_t)words, sizeof words };
    struct iov from = iov_of(&span, 1);
    char seen[4096];
    ssize_t n;
    must(conn != NULL);
    if (conn_is_pending(conn))
        pending_drive(conn);
    if (conn_state(conn) == CONN_OPEN)
        stream_write(conn, fd, &from, MSG_DONTWAIT);
    pending_expire(clock_ms() + 60000);
    while ((n = recv(peer, seen, sizeof seen, MSG_DONTWAIT)) > 0)
        must(!memmem(seen, (size_t)n, words, 10));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    uint8_t how = input_u8(&in);
    int pair[2], kept, ours;
    tcp_pair(pair);
    ours = how & 64; /* the end that connected: an outbound one, to a service */
    must(family_begin());
    kept = how & 128 ? make_up(&in) : leave_behind(&in, pair[!!ours], how);
    if (how & 128) {
        slots_claim(-1);
        family_part();
    }
    fcntl(pair[!ours], F_SETFD, FD_CLOEXEC);
    if (how & 8) {
        must(fdtable_get(pair[!ours]) == NULL);
        close(kept);
        kept = -1;
        adopt_received(pair[!!ours], false, nothing);
    } else {
        adopt_inherited(nothing);
    }
    speak(pair[!!ours], pair[!ours]);
    conn_each(forget, NULL);
    for (int i = 0; i < 2; i++) {
        if (fdtable_get(pair[i]))
            fdtable_clear(pair[i], fdtable_get(pair[i]));
        tcp_close(pair[i]);
    }
    if (family)
        family_part();
    else if (kept >= 0)
        close(kept);
    slots_claim(-1);
    return 0;
}
