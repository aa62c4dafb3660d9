/* What is kept to resume handshakes: taken once, found by all of its place, in time, bounded, shared, wiped. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <linux/magic.h>

#include "check.h"
/* The table itself, to look for what should have been wiped. */
#include "tls/sessions.c"

static struct session_place place_of(enum session_side side, unsigned key, unsigned mark)
{
    struct session_place place = { .side = side };
    memcpy(place.key, &key, sizeof key);
    memcpy(place.mark, &mark, sizeof mark);
    return place;
}

static struct session session_of(unsigned number, int64_t until)
{
    struct session session = { .until = until,
                               .proven_until = until,
                               .peer = "spiffe://mesh.local/ns/a/sa/b" };
    memset(session.secret, 0x5a, sizeof session.secret);
    memcpy(session.handle, &number, sizeof number);
    return session;
}

static void put(enum session_side side, unsigned key, unsigned mark, unsigned number)
{
    struct session_place place = place_of(side, key, mark);
    struct session session = session_of(number, 200);
    sessions_put(&place, &session, 100);
}

/* Its number, or -1. */
static long take(enum session_side side, unsigned key, unsigned mark, int64_t now)
{
    struct session_place place = place_of(side, key, mark);
    struct session session;
    unsigned number;
    if (!sessions_take(&place, &session, now))
        return -1;
    memcpy(&number, session.handle, sizeof number);
    return number;
}

static bool holds_secrets(void)
{
    uint8_t secret[KEYS_SECRET];
    struct table *t = atomic_load(&table);
    memset(secret, 0x5a, sizeof secret);
    return memmem(t, sizeof *t, secret, sizeof secret / 2) != NULL;
}

static void taken_once(void)
{
    put(SESSION_SERVER, 1, 1, 11);
    CU_ASSERT_TRUE(holds_secrets());
    CU_ASSERT_EQUAL(take(SESSION_CLIENT, 1, 1, 150), -1);
    CU_ASSERT_EQUAL(take(SESSION_SERVER, 2, 1, 150), -1);
    CU_ASSERT_EQUAL(take(SESSION_SERVER, 1, 2, 150), -1);
    CU_ASSERT_EQUAL(take(SESSION_SERVER, 1, 1, 150), 11);
    CU_ASSERT_EQUAL(take(SESSION_SERVER, 1, 1, 150), -1);
    CU_ASSERT_FALSE(holds_secrets());
}

static void the_oldest_first(void)
{
    for (unsigned i = 0; i < 10; i++)
        put(SESSION_CLIENT, 1, 1, i);
    for (unsigned i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(take(SESSION_CLIENT, 1, 1, 150), i);
    CU_ASSERT_EQUAL(take(SESSION_CLIENT, 1, 1, 150), -1);
}

static void in_time(void)
{
    put(SESSION_CLIENT, 1, 1, 1);
    CU_ASSERT_EQUAL(take(SESSION_CLIENT, 1, 1, 200), -1);
    CU_ASSERT_FALSE(holds_secrets()); /* whoever finds it too late wipes it */
    put(SESSION_CLIENT, 1, 1, 1);
    CU_ASSERT_EQUAL(take(SESSION_CLIENT, 1, 1, 199), 1);
    sessions_put(&(struct session_place){ 0 }, &(struct session){ .until = 100 }, 100);
    CU_ASSERT_EQUAL(sessions_count(SESSION_CLIENT, 0), 0);
}

/* Of a name that is longer than most, the end lies elsewhere, which is touched by those alone. */
static void names_of_any_length(void)
{
    struct session_place place = place_of(SESSION_CLIENT, 3, 3);
    struct table *t = atomic_load(&table);
    for (size_t length = 1; length < SESSION_PEER; length++) {
        struct session session = session_of(1, 200), out;
        memset(session.peer, 'a' + (int)(length % 26), length);
        session.peer[length] = '\0';
        sessions_put(&place, &session, 100);
        CU_ASSERT_TRUE_FATAL(sessions_take(&place, &out, 150));
        CU_ASSERT_STRING_EQUAL(out.peer, session.peer);
        if (length < 64)
            CU_ASSERT_TRUE(t->client_rest[0][0] == 0 && memcmp(t->client_rest, (uint8_t *)t->client_rest + 1,
                                                               sizeof t->client_rest - 1) == 0);
    }
    memset(t->client_rest, 0, sizeof t->client_rest);
}

static void rubbish_is_not_used(void)
{
    struct session_place place = place_of(SESSION_SERVER, 9, 9);
    struct session bad[5], out;
    for (int i = 0; i < 5; i++)
        bad[i] = session_of(1, 200);
    bad[0].suite = AEAD_SUITES;
    memset(bad[1].peer, 'x', sizeof bad[1].peer);
    bad[2].peer[0] = '\0';
    bad[3].proven_until = 199;
    bad[4].proven_until = bad[4].until = 151 + SESSION_SECONDS; /* nobody is believed for so long */
    for (int i = 0; i < 5; i++) {
        sessions_put(&place, &bad[i], 100);
        CU_ASSERT_FALSE(sessions_take(&place, &out, 150));
    }
    CU_ASSERT_FALSE(holds_secrets());
}

/* Whoever of the same user shares the file may write anything into it: nothing hangs or crashes, and nothing unsound comes out. */
static void a_table_full_of_rubbish(void)
{
    struct table *t = atomic_load(&table);
    unsigned char *bytes = (unsigned char *)t;
    struct session session;
    uint32_t chance = 1;
    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < sizeof *t; i++) {
            chance = chance * 1664525 + 1013904223;
            bytes[i] = (unsigned char)(chance >> 24) & (round % 2 ? 255 : 3);
        }
        for (unsigned i = 0; i < 2000; i++) {
            struct session_place place = place_of(i % 2 ? SESSION_CLIENT : SESSION_SERVER, i, 1);
            size_t entry = offsetof(struct table, client) + i % CLIENT_ROOM * sizeof(struct entry);
            memcpy(place.key, bytes + entry + offsetof(struct entry, key), sizeof place.key);
            memcpy(place.mark, bytes + entry + offsetof(struct entry, mark), sizeof place.mark);
            if (sessions_take(&place, &session, 150))
                CU_ASSERT_TRUE(session.suite < AEAD_SUITES &&
                               memchr(session.peer, '\0', sizeof session.peer));
            put(place.side, i, 1, i);
        }
    }
    memset(bytes, 0, sizeof *t);
}

/* However many are made, so many are kept, and the newest are. */
static void bounded(enum session_side side)
{
    unsigned many = sessions_room(side) * 20;
    for (unsigned i = 0; i < many; i++)
        put(side, i * 7919, 1, i);
    CU_ASSERT_TRUE(sessions_count(side, 150) <= sessions_room(side));
    CU_ASSERT_TRUE(sessions_count(side, 150) >= sessions_room(side) / 2);
    CU_ASSERT_EQUAL(take(side, (many - 1) * 7919, 1, 150), many - 1);
    CU_ASSERT_EQUAL(take(side, 0, 1, 150), -1);
    for (unsigned i = 0; i < many; i++)
        take(side, i * 7919, 1, 150);
    CU_ASSERT_EQUAL(sessions_count(side, 150), 0);
    CU_ASSERT_FALSE(holds_secrets());
}

static void bounded_on_both_sides(void)
{
    bounded(SESSION_CLIENT);
    bounded(SESSION_SERVER);
}

static _Atomic unsigned taken[20000];

static void *grab(void *unused)
{
    struct session session;
    (void)unused;
    for (unsigned i = 0; i < 20000; i++) {
        unsigned number;
        struct session_place place = place_of(SESSION_SERVER, i, 1);
        put(SESSION_SERVER, i, 1, i);
        if (!sessions_take(&place, &session, 150))
            continue;
        memcpy(&number, session.handle, sizeof number);
        if (number == i && session.secret[0] == 0x5a)
            atomic_fetch_add(&taken[i], 1);
        else
            atomic_fetch_add(&taken[i], 1000);
    }
    return NULL;
}

/* Four threads put and take the same ones: never more come out than went in, and none but whole. */
static void by_threads(void)
{
    pthread_t threads[4];
    unsigned wrong = 0, all = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, grab, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < 20000; i++) {
        wrong += taken[i] > 4;
        all += taken[i];
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_TRUE(all > 20000);
}

static void children_share(void)
{
    int status = -1;
    pid_t child;
    put(SESSION_SERVER, 5, 1, 55);
    child = fork();
    if (child == 0)
        _exit(take(SESSION_SERVER, 5, 1, 150) == 55 ? 0 : 1);
    waitpid(child, &status, 0);
    CU_ASSERT_EQUAL(status, 0);
    CU_ASSERT_EQUAL(take(SESSION_SERVER, 5, 1, 150), -1);
}

/* ---- the file ---- */

enum { SIZE = 8192 };
static char memory_dir[] = "/dev/shm/meshshim-sessions.XXXXXX", disk_dir[] = "/tmp/meshshim-sessions.XXXXXX";

static bool is_memory(const char *path)
{
    struct statfs fs;
    return statfs(path, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

/* The only file of the directory, in `path`. */
static bool only_file(const char *directory, char *path, size_t room)
{
    char command[256];
    FILE *list;
    bool found;
    snprintf(command, sizeof command, "ls %s", directory);
    list = popen(command, "r");
    snprintf(path, room, "%s/", directory);
    found = list && fgets(path + strlen(path), (int)(room - strlen(path)), list);
    path[strcspn(path, "\n")] = '\0';
    if (list)
        pclose(list);
    return found;
}

static void shared_by_file(void)
{
    char path[256];
    struct stat st;
    char *one, *two, *other;
    if (!is_memory("/dev/shm") || !mkdtemp(memory_dir))
        return;
    one = sessions_file_map(memory_dir, "spiffe://a", 1, SIZE);
    two = sessions_file_map(memory_dir, "spiffe://a", 1, SIZE);
    CU_ASSERT_TRUE_FATAL(one && two && one != two);
    CU_ASSERT_TRUE(only_file(memory_dir, path, sizeof path));
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode, S_IFREG | 0400);
    CU_ASSERT_TRUE(st.st_blocks * 512 >= SIZE); /* nothing to run out of later */
    one[SIZE - 1] = 'x';
    CU_ASSERT_EQUAL(two[SIZE - 1], 'x');
    other = sessions_file_map(memory_dir, "spiffe://b", 1, SIZE);
    CU_ASSERT_TRUE(other && other[SIZE - 1] == 0);
    other = sessions_file_map(memory_dir, "spiffe://a", 2, SIZE);
    CU_ASSERT_TRUE(other && other[SIZE - 1] == 0);
    CU_ASSERT_PTR_NULL(sessions_file_map(memory_dir, "spiffe://a", 1, 2 * SIZE));
    CU_ASSERT_EQUAL(chmod(path, 0640), 0);
    CU_ASSERT_PTR_NULL(sessions_file_map(memory_dir, "spiffe://a", 1, SIZE));
}

static void *open_it(void *unused)
{
    sessions_open(memory_dir, "spiffe://a");
    return unused;
}

static int mappings_of(const char *path)
{
    char line[512];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps))
        count += strstr(line, path) != NULL;
    if (maps)
        fclose(maps);
    return count;
}

/* They meet at the lock of a file that is to be made, which is ours for a moment. */
static void opened_at_once(void)
{
    enum { OPENERS = 8, ENOUGH_MS = 30 };
    struct table *before = atomic_exchange(&table, NULL);
    pthread_t threads[OPENERS];
    char path[256];
    void *whole;
    int fd, mapped;
    if (!is_memory(memory_dir))
        return;
    snprintf(path, sizeof path, "rm %s/*", memory_dir);
    CU_ASSERT_EQUAL(system(path), 0);
    open_it(NULL);
    CU_ASSERT_TRUE_FATAL(only_file(memory_dir, path, sizeof path));
    mapped = mappings_of(path);
    atomic_store(&table, NULL);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    CU_ASSERT_EQUAL_FATAL(flock(fd, LOCK_EX), 0);
    whole = sessions_file_map(memory_dir, "spiffe://a", LAYOUT,
                              sizeof *before); /* for one that is ready nobody waits */
    CU_ASSERT_PTR_NOT_NULL(whole);
    sessions_unmap(whole, sizeof *before);
    CU_ASSERT_EQUAL_FATAL(chmod(path, 0600) || truncate(path, 0), 0);
    for (int i = 0; i < OPENERS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, open_it, NULL), 0);
    usleep(ENOUGH_MS * 1000);
    close(fd);
    for (int i = 0; i < OPENERS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_PTR_NOT_NULL(atomic_load(&table));
    CU_ASSERT_EQUAL(mappings_of(path), mapped + 1);
    atomic_store(&table, before);
}

/* Whatever was in it is lost, and no more. */
static void cut_short(void)
{
    struct table *before = atomic_exchange(&table, NULL);
    char path[256];
    if (!is_memory(memory_dir))
        return;
    open_it(NULL);
    CU_ASSERT_TRUE_FATAL(only_file(memory_dir, path, sizeof path));
    put(SESSION_SERVER, 7, 1, 71);
    CU_ASSERT_EQUAL(sessions_count(SESSION_SERVER, 150), 1);
    CU_ASSERT_EQUAL_FATAL(chmod(path, 0600) || truncate(path, 0), 0);
    CU_ASSERT_EQUAL(sessions_count(SESSION_SERVER, 150), 0);
    CU_ASSERT_EQUAL(take(SESSION_SERVER, 7, 1, 150), -1);
    put(SESSION_SERVER, 7, 1, 72);
    put(SESSION_CLIENT, 7, 1, 73);
    CU_ASSERT_EQUAL(take(SESSION_SERVER, 7, 1, 150), 72);
    CU_ASSERT_EQUAL(take(SESSION_CLIENT, 7, 1, 150), 73);
    CU_ASSERT_EQUAL(sessions_count(SESSION_SERVER, 150), 0);
    atomic_store(&table, before);
}

static void not_on_a_disk(void)
{
    char path[256];
    if (!mkdtemp(disk_dir) || is_memory(disk_dir))
        return;
    CU_ASSERT_PTR_NULL(sessions_file_map(disk_dir, "spiffe://a", 1, SIZE));
    CU_ASSERT_FALSE(only_file(disk_dir, path, sizeof path));
    CU_ASSERT_PTR_NULL(sessions_file_map("/nowhere/at/all", "spiffe://a", 1, SIZE));
}

static void not_by_a_link(void)
{
    char path[256], real[300];
    if (!is_memory(memory_dir) || !sessions_file_map(memory_dir, "spiffe://c", 1, SIZE))
        return;
    snprintf(path, sizeof path, "rm %s/*", memory_dir);
    CU_ASSERT_EQUAL(system(path), 0);
    CU_ASSERT_PTR_NOT_NULL(sessions_file_map(memory_dir, "spiffe://c", 1, SIZE));
    CU_ASSERT_TRUE(only_file(memory_dir, path, sizeof path));
    snprintf(real, sizeof real, "%s.real", path);
    CU_ASSERT_EQUAL(link(path, real), 0);
    CU_ASSERT_PTR_NULL(sessions_file_map(memory_dir, "spiffe://c", 1, SIZE));
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(symlink(real, path), 0);
    CU_ASSERT_PTR_NULL(sessions_file_map(memory_dir, "spiffe://c", 1, SIZE));
}

static int begin(void)
{
    sessions_open("/nowhere/at/all", "spiffe://me");
    return atomic_load(&table) ? 0 : 1;
}

static int end(void)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s %s", memory_dir, disk_dir);
    return system(command);
}

int main(void)
{
    CU_TestInfo tests[] = {
        { "taken once", taken_once },
        { "the oldest first", the_oldest_first },
        { "in time", in_time },
        { "names of any length", names_of_any_length },
        { "rubbish is not used", rubbish_is_not_used },
        { "a table full of rubbish", a_table_full_of_rubbish },
        { "bounded", bounded_on_both_sides },
        { "by threads", by_threads },
        { "children share", children_share },
        { "shared by file", shared_by_file },
        { "opened at once, mapped once", opened_at_once },
        { "cut short", cut_short },
        { "not on a disk", not_on_a_disk },
        { "not by a link", not_by_a_link },
        CU_TEST_INFO_NULL,
    };
    return check_suite("sessions", begin, end, tests) ? 1 : 0;
}
