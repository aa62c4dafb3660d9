// links: cli/json.c
/*
 * The file of counters, into which any process of the same user may write: whatever is in it, counting goes on, nobody writes beside it,
 * and what is read from it is JSON and Prometheus' text.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../cli/json.h"
#include "input.h"
#include "stats/region.h"
#include "stats/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { USED = 4 }; /* series and processes that are scribbled on: some of the library's own are among them */

static char directory[] = "/tmp/meshshim-fuzz-stats.XXXXXX", path[128];
static char *memory;

static void remove_directory(void)
{
    unlink(path);
    rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    int fd;
    (void)argc;
    (void)argv;
    must(mkdtemp(directory) != NULL && stats_open(directory, "spiffe://mesh.local/ns/default/sa/fuzz") == 0);
    snprintf(path, sizeof path, "%s/stats-%u.shm", directory, (unsigned)geteuid());
    atexit(remove_directory);
    fd = open(path, O_RDWR | O_CLOEXEC);
    memory = mmap(NULL, REGION_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must(fd >= 0 && memory != MAP_FAILED);
    close(fd);
    return 0;
}

static void start_anew(void)
{
    struct region_control *control = region_control(memory);
    memset((char *)control + REGION_PAGE, 0, sizeof *control - REGION_PAGE);
    control->header = region_expected_header;
    for (size_t i = 0; i < USED; i++) {
        memset(region_process(memory, i), 0, sizeof(struct region_process));
        memset(memory + region_block_offset(i), 0, sizeof(struct region_block));
    }
}

static void scribble(struct input *input)
{
    uint8_t where = input_u8(input);
    size_t which = input_u8(input) % USED;
    struct region_block *block = (void *)(memory + region_block_offset(which));
    switch (where % 6) {
    case 0:
        input_scribble(input, memory, sizeof(struct region_header));
        break;
    case 1:
        input_scribble(input, (void *)&region_control(memory)->hash[which], 64);
        break;
    case 2:
        input_scribble(input, (void *)&region_control(memory)->owner[which], 64);
        break;
    case 3:
        input_scribble(input, region_process(memory, which), sizeof(struct region_process));
        break;
    case 4:
        atomic_store(&region_control(memory)->hash[which], 1);
        atomic_store(&block->ready, 1);
        input_scribble(input, &block->labels, sizeof block->labels);
        break;
    default:
        input_scribble(input, &block->counters, sizeof block->counters);
        break;
    }
}

/* As the library does on the data path. */
static void count(uint8_t how)
{
    struct series *series = stats_series(how & 1 ? STATS_INBOUND : STATS_OUTBOUND, how & 2 ? "cache" : "web",
                                         "", STATS_MUTUAL_TLS);
    stats_connection_opened(series);
    histogram_record(&stats_counters(series)->latency[LATENCY_CONNECT], UINT64_C(1) << how % 64);
    if (how & 4)
        stats_after_fork();
    if (how & 8)
        stats_prepare();
    stats_connection_closed(series);
}

static bool is_line(const char *line)
{
    return *line == '#' || strncmp(line, "meshshim_", 9) == 0 || strncmp(line, "istio_", 6) == 0;
}

static void see(const struct stats_row *row, void *context)
{
    (void)context;
    must(memchr(row->workload, '\0', sizeof row->workload) &&
         memchr(row->service, '\0', sizeof row->service) && memchr(row->peer, '\0', sizeof row->peer));
    for (int i = 0; i < LATENCY_COUNT; i++)
        histogram_quantile(&row->latency[i], 0.99);
}

static void read_all(void)
{
    struct buf json = BUF_INIT, text = BUF_INIT;
    struct json *tree;
    stats_each(directory, see, NULL);
    stats_write_json(directory, &json);
    tree = json_parse(buf_text(&json), json.length);
    must(tree != NULL && json_get(tree, "entries") != NULL);
    json_free(tree);
    stats_write_prometheus(directory, &text);
    for (const char *line = buf_text(&text); *line; line = strchr(line, '\n') + 1)
        must(is_line(line) && strchr(line, '\n'));
    buf_free(&json);
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };
    uint8_t how = input_u8(&input);
    start_anew();
    for (int i = 0; i < 100 && input.left; i++)
        scribble(&input);
    count(how);
    read_all();
    if (how & 16) { /* it is cut short under a reader */
        must(truncate(path, (off_t)REGION_BLOCK_OFFSET + how) == 0);
        read_all();
        must(truncate(path, (off_t)REGION_SIZE) == 0);
    }
    return 0;
}
