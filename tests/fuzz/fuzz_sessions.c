/*
 * The file of sessions, into which any process of the same user may write: whatever is in it, what is taken out may be used, is of the place
 * that was asked for, and comes once.
 */
#include <fcntl.h>
#include <glob.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input.h"
#include "tls/sessions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { NOW = 1000000, STEPS = 64 };

static char directory[] = "/dev/shm/meshshim-fuzz-sessions.XXXXXX";
static glob_t made;
static uint8_t *memory;
static size_t room;

static void remove_directory(void)
{
    unlink(made.gl_pathv[0]);
    rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char pattern[sizeof directory + 16];
    struct stat st;
    int fd;
    (void)argc;
    (void)argv;
    must(mkdtemp(directory) != NULL);
    sessions_open(directory, "spiffe://mesh.local/ns/default/sa/fuzz");
    snprintf(pattern, sizeof pattern, "%s/sessions-*", directory);
    must(glob(pattern, 0, NULL, &made) == 0 && made.gl_pathc == 1);
    atexit(remove_directory);
    fd = open(made.gl_pathv[0], O_RDWR | O_CLOEXEC);
    must(fd >= 0 && fstat(fd, &st) == 0);
    room = (size_t)st.st_size;
    memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must(memory != MAP_FAILED);
    close(fd);
    return 0;
}

/* Few places, so that many meet in one; their keys begin with zeros, so all lie in the first set of their side. */
static struct session_place place_of(uint8_t which)
{
    struct session_place place = { .side = (enum session_side)(which % 3) };
    place.key[8] = which / 3 % 3;
    place.mark[0] = which / 9 % 2;
    return place;
}

/* Rubbish there: the first sets of each side, and what is before them. */
static void write_rubbish(struct input *in)
{
    static size_t server, foreign; /* where their part begins: their places are as large as the clients' */
    size_t tickets = sessions_room(SESSION_FOREIGN),
           rest = sizeof(struct session) - offsetof(struct session, peer) - 72;
    size_t entry = (room - 8 - tickets * SESSION_TICKET) /
                       (sessions_room(SESSION_CLIENT) + sessions_room(SESSION_SERVER) + tickets) -
                   rest;
    server = entry * sessions_room(SESSION_CLIENT);
    foreign = server + entry * sessions_room(SESSION_SERVER);
    input_scribble(in, memory + (size_t[]){ 0, server, foreign }[input_u8(in) % 3], 6 * entry);
}

static void put(struct input *in)
{
    struct session_place place = place_of(input_u8(in));
    struct session session = { .suite = input_u8(in) % AEAD_SUITES,
                               .until = NOW + 1 + input_u8(in),
                               .proven_until = NOW + 300 };
    snprintf(session.peer, sizeof session.peer, "spiffe://mesh.local/ns/default/sa/peer");
    if (place.side == SESSION_FOREIGN) {
        uint8_t bytes[300];
        struct iovec span = { bytes, input_bytes(in, bytes, sizeof bytes) };
        session.ticket_length = input_u16(in);
        session.lifetime = input_u16(in);
        session.given = NOW - input_u8(in);
        sessions_put_ticket(&place, &session, iov_of(&span, 1), NOW);
    } else {
        sessions_put(&place, &session, NOW);
    }
}

static void take(struct input *in)
{
    struct session_place place = place_of(input_u8(in));
    struct session session;
    uint8_t *ticket = malloc(SESSION_TICKET);
    int n = 0;
    while (place.side == SESSION_FOREIGN ? sessions_take_ticket(&place, &session, ticket, NOW)
                                         : sessions_take(&place, &session, NOW)) {
        must(place.side == SESSION_FOREIGN ? session.ticket_length && session.ticket_length <= SESSION_TICKET
                                           : !session.ticket_length);
        must(session.suite < AEAD_SUITES && session.until > NOW && session.proven_until >= session.until);
        must(memchr(session.peer, '\0', sizeof session.peer) && session.peer[0]);
        must(++n <= 64); /* a set's, each once */
    }
    free(ticket);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    memset(memory, 0, room);
    for (int i = 0; i < STEPS && in.left; i++) {
        uint8_t what = input_u8(&in) % 4;
        if (what == 0)
            put(&in);
        else if (what == 1)
            take(&in);
        else
            write_rubbish(&in);
    }
    must(sessions_count(SESSION_CLIENT, NOW) <= sessions_room(SESSION_CLIENT));
    must(sessions_count(SESSION_SERVER, NOW) <= sessions_room(SESSION_SERVER));
    must(sessions_count(SESSION_FOREIGN, NOW) <= sessions_room(SESSION_FOREIGN));
    return 0;
}
