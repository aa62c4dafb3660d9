/* See bench_report.h. */
#include "bench_report.h"

#include "render.h"
#include "stats/json.h"

#include "base/banned.h"

const char *measure_text(enum measure measure, double value)
{
    static struct human texts[8];
    static unsigned next;
    struct human *human = &texts[next++ % 8];

    if (measure == MEASURE_NS)
        *human = human_microseconds(value / 1000);
    else if (measure == MEASURE_KIB)
        *human = human_bytes((uint64_t)(value * 1024));
    else
        *human = human_count((uint64_t)(value + 0.5));
    return human->text;
}

static void write_table(const struct measured *rows, size_t count)
{
    static const struct column columns[] = {
        { "", false }, { "PLAIN", true }, { "MESHED", true }, { "CHANGE", true }
    };
    struct grid *grid = grid_new(columns, sizeof columns / sizeof *columns);
    char change[32];

    for (size_t i = 0; i < count; i++) {
        grid_cell(grid, PLAIN, rows[i].name);
        grid_cell(grid, PLAIN, measure_text(rows[i].measure, rows[i].plain));
        grid_cell(grid, PLAIN, measure_text(rows[i].measure, rows[i].meshed));
        snprintf(change, sizeof change, "%+.1f%%", 100 * (rows[i].meshed / rows[i].plain - 1));
        grid_cell(grid, PLAIN, rows[i].plain > 0 ? change : "-");
    }
    grid_write(grid);
    grid_free(grid);
}

static void write_side(struct json_stream *json, const char *side, const struct measured *rows, size_t count,
                       bool meshed)
{
    json_begin_object(json, side);
    for (size_t i = 0; i < count; i++) {
        double value = meshed ? rows[i].meshed : rows[i].plain;
        if (rows[i].measure == MEASURE_NS)
            json_add_micros(json, rows[i].key, (uint64_t)value);
        else
            json_add_uint(json, rows[i].key, (uint64_t)(value + 0.5));
    }
    json_end_object(json);
}

static void write_json(const char *subject, const struct measured *rows, size_t count,
                       const struct series *series, const struct comparison *comparison, const char *verdict)
{
    struct buf out = BUF_INIT;
    struct json_stream json = json_stream_to(&out);

    json_begin_object(&json, NULL);
    json_add_string(&json, "subject", subject);
    json_add_uint(&json, "rounds", series->rounds);
    write_side(&json, "plain", rows, count, false);
    write_side(&json, "meshed", rows, count, true);
    json_add_thousandths(&json, "change_percent", (int64_t)(comparison->change * 1e5));
    json_add_thousandths(&json, "noise_percent", (int64_t)(comparison->noise * 1e5));
    json_add_bool(&json, "within_noise", !comparison_tells(comparison));
    json_add_string(&json, "verdict", verdict);
    json_end_object(&json);
    puts(buf_text(&out));
    buf_free(&out);
}

void bench_report(enum format format, const char *subject, const struct measured *rows, size_t count,
                  const struct series *series, enum measure measure, const struct claim *claim)
{
    struct comparison comparison;
    struct buf verdict = BUF_INIT;

    comparison_of(series, &comparison);
    comparison_write(&verdict, &comparison, claim, measure_text(measure, comparison.plain),
                     measure_text(measure, comparison.meshed), series->rounds);
    if (format == FORMAT_JSON) {
        write_json(subject, rows, count, series, &comparison, buf_text(&verdict));
    } else {
        write_table(rows, count);
        putchar('\n');
        render_text(buf_text(&verdict));
        putchar('\n');
    }
    buf_free(&verdict);
}
