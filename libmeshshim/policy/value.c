/* See value.h. The types that are one word; value_list.c has the lists. */
#include "policy/value.h"

#include "base/banned.h"
#include "policy/snapshot.h"

struct origin value_origin(const struct value *value, unsigned line)
{
    return (struct origin){ value->variable, line };
}

const char *value_text(const struct value *value)
{
    if (value->count > 1) {
        problem_add(value->problems, value_origin(value, value->pieces[1].line),
                    "an indented line goes on with \"%s\", which is no list; expected one value on one line",
                    value->key);
        return NULL;
    }
    if (*value->pieces[0].text)
        return value->pieces[0].text;
    value_wrong(value, "\"%s\" is empty; expected a value, or no such line", value->key);
    return NULL;
}

/* A comment that inih does not take for one is the likeliest reason for a value that is almost right. */
static const char *comment_hint(const char *text)
{
    return strstr(text, " #") ? " (a comment behind a value begins with ' ;')" : "";
}

static void set_string(const struct value *value, void *field, const char *text)
{
    char **string = field, *copy = strdup(text);
    if (!copy) {
        value->problems->no_memory = true;
        return;
    }
    free(*string);
    *string = copy;
}

/* --- numbers --- */

/* Digits alone, at most `most`; *end is where they stop. */
static bool parse_digits(const char *text, uint64_t most, uint64_t *number, const char **end)
{
    *number = 0;
    for (*end = text; **end >= '0' && **end <= '9'; ++*end) {
        *number = *number * 10 + (uint64_t)(**end - '0');
        if (*number > most)
            return false;
    }
    return *end > text;
}

bool port_parse(const char *text, uint16_t *port)
{
    const char *end;
    uint64_t number;
    if (!parse_digits(text, UINT16_MAX, &number, &end) || *end || number == 0)
        return false;
    *port = (uint16_t)number;
    return true;
}

void value_port(const struct value *value, void *field)
{
    const char *text = value_text(value);
    if (text && !port_parse(text, field))
        value_wrong(value, "\"%s\" is %s; expected a port, 1 to 65535%s", value->key, QUOTE(text),
                    comment_hint(text));
}

void value_count(const struct value *value, void *field)
{
    const char *text = value_text(value), *end;
    uint64_t number;
    if (!text)
        return;
    if (parse_digits(text, 100, &number, &end) && !*end)
        *(unsigned *)field = (unsigned)number;
    else
        value_wrong(value, "\"%s\" is %s; expected a number, 0 to 100%s", value->key, QUOTE(text),
                    comment_hint(text));
}

/* Milliseconds of "250ms"; false where it is none, or longer than a day. */
static bool parse_duration(const char *text, int64_t *ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 3600 * 1000 } };
    const uint64_t most = 24u * 3600 * 1000;
    uint64_t number;
    const char *unit;

    if (!parse_digits(text, most, &number, &unit))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].unit) || number * units[i].ms > most)
            continue;
        *ms = (int64_t)(number * units[i].ms);
        return true;
    }
    return false;
}

static void set_duration(const struct value *value, void *field, int64_t fewest)
{
    const char *text = value_text(value);
    int64_t ms;
    if (!text)
        return;
    if (parse_duration(text, &ms) && ms >= fewest)
        *(int64_t *)field = ms;
    else
        value_wrong(value,
                    "\"%s\" is %s; expected a whole number with a unit, such as 250ms, 2s, 1m or 24h, from "
                    "%dms to 24h%s",
                    value->key, QUOTE(text), (int)fewest, comment_hint(text));
}

void value_timeout(const struct value *value, void *field)
{
    set_duration(value, field, 1);
}

void value_grace(const struct value *value, void *field)
{
    set_duration(value, field, 0);
}

/* --- words --- */

struct choice {
    const char *word;
    int meaning;
};

/* Tells and returns false where the value is none of the words. `expected` is the sentence's end. */
static bool choose(const struct value *value, const struct choice *choices, const char *expected,
                   int *meaning)
{
    const char *text = value_text(value);
    if (!text)
        return false;
    for (const struct choice *choice = choices; choice->word; choice++) {
        if (strcmp(choice->word, text))
            continue;
        *meaning = choice->meaning;
        return true;
    }
    value_wrong(value, "\"%s\" is %s; expected %s%s", value->key, QUOTE(text), expected, comment_hint(text));
    return false;
}

static const struct choice mtls_modes[] = {
    { "strict", MTLS_STRICT }, { "permissive", MTLS_PERMISSIVE }, { "off", MTLS_OFF }, { NULL, 0 }
};

void value_mtls_inbound(const struct value *value, void *field)
{
    int mode;
    if (choose(value, mtls_modes, "strict, permissive or off", &mode))
        *(enum mtls_mode *)field = (enum mtls_mode)mode;
}

void value_mtls_service(const struct value *value, void *field)
{
    int mode;
    if (!choose(value, mtls_modes, "strict or off", &mode))
        return;
    if (mode == MTLS_PERMISSIVE)
        value_wrong(value, "\"mtls\" is \"permissive\", which only [inbound] knows; expected strict or off");
    else
        *(enum mtls_mode *)field = (enum mtls_mode)mode;
}

void value_unmeshable(const struct value *value, void *field)
{
    static const struct choice policies[] = { { "refuse", UNMESHABLE_REFUSE },
                                              { "warn", UNMESHABLE_WARN },
                                              { NULL, 0 } };
    int policy;
    if (choose(value, policies, "refuse or warn", &policy))
        *(enum unmeshable_policy *)field = (enum unmeshable_policy)policy;
}

void value_resumption(const struct value *value, void *field)
{
    static const struct choice words[] = { { "yes", RESUMPTION_YES },
                                           { "true", RESUMPTION_YES },
                                           { "on", RESUMPTION_YES },
                                           { "no", RESUMPTION_NO },
                                           { "false", RESUMPTION_NO },
                                           { "off", RESUMPTION_NO },
                                           { "without_forward_secrecy", RESUMPTION_WITHOUT_FORWARD_SECRECY },
                                           { NULL, 0 } };
    int resumption;
    if (choose(value, words, "yes, no or without_forward_secrecy", &resumption))
        *(enum session_resumption *)field = (enum session_resumption)resumption;
}

void value_record_layer(const struct value *value, void *field)
{
    static const struct choice layers[] = { { "auto", RECORD_LAYER_AUTO },
                                            { "user", RECORD_LAYER_USER },
                                            { "kernel", RECORD_LAYER_KERNEL },
                                            { NULL, 0 } };
    int layer;
    if (choose(value, layers, "auto, user or kernel", &layer))
        *(enum record_layer *)field = (enum record_layer)layer;
}

void value_protocol(const struct value *value, void *field)
{
    static const struct choice protocols[] = { { "tcp", PROTOCOL_TCP },
                                               { "http", PROTOCOL_HTTP },
                                               { NULL, 0 } };
    int protocol;
    if (choose(value, protocols, "tcp or http", &protocol))
        *(enum protocol *)field = (enum protocol)protocol;
}

void value_balancer(const struct value *value, void *field)
{
    static const struct choice balancers[] = {
        { "least_request", LB_LEAST_REQUEST }, { "round_robin", LB_ROUND_ROBIN }, { "random", LB_RANDOM },
        { "peak_ewma", LB_PEAK_EWMA },         { "ring_hash", LB_RING_HASH },     { NULL, 0 }
    };
    int balancer;
    if (choose(value, balancers, "least_request, round_robin, random, peak_ewma or ring_hash", &balancer))
        *(enum load_balancer *)field = (enum load_balancer)balancer;
}

void value_flag(const struct value *value, void *field)
{
    static const struct choice flags[] = { { "yes", 1 },   { "true", 1 }, { "on", 1 }, { "no", 0 },
                                           { "false", 0 }, { "off", 0 },  { NULL, 0 } };
    int flag;
    if (choose(value, flags, "yes or no", &flag))
        *(bool *)field = flag;
}

/* --- names and paths --- */

/* SPIFFE-ID, section 2.2: letters, digits, '-', '.', '_'; neither "." nor "..". */
const char *segment_fault(const char *text, size_t length)
{
    if (length == 0)
        return "is empty";
    if (strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") < length)
        return "holds a character that a SPIFFE ID may not; expected letters, digits, '-', '.' and '_'";
    if (length <= 2 && text[0] == '.' && text[length - 1] == '.')
        return "is a relative path; expected a name";
    return NULL;
}

/* SPIFFE-ID, section 2.1: lower case, no percent-encoding, no port, at most 255 bytes. */
const char *trust_domain_fault(const char *text, size_t length)
{
    if (length == 0)
        return "is empty";
    if (length > 255)
        return "is too long; expected at most 255 bytes";
    if (strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-._") < length)
        return "is no trust domain; expected lower-case letters, digits, '-', '.' and '_', such as "
               "mesh.local";
    return NULL;
}

void value_segment(const struct value *value, void *field)
{
    const char *text = value_text(value);
    const char *fault = text ? segment_fault(text, strlen(text)) : NULL;
    if (fault)
        value_wrong(value, "\"%s\" is %s, which %s%s", value->key, QUOTE(text), fault, comment_hint(text));
    else if (text)
        set_string(value, field, text);
}

void value_trust_domain(const struct value *value, void *field)
{
    const char *text = value_text(value);
    const char *fault = text ? trust_domain_fault(text, strlen(text)) : NULL;
    if (fault)
        value_wrong(value, "\"%s\" is %s, which %s%s", value->key, QUOTE(text), fault, comment_hint(text));
    else if (text)
        set_string(value, field, text);
}

void value_path(const struct value *value, void *field)
{
    const char *text = value_text(value);
    struct buf path = BUF_INIT;
    if (!text)
        return;
    if (*text != '/' && value->directory)
        buf_printf(&path, "%s/", value->directory);
    buf_puts(&path, text);
    if (path.failed)
        value->problems->no_memory = true;
    else
        set_string(value, field, path.data);
    buf_free(&path);
}

void value_pem(const struct value *value, void *field)
{
    value_path(value, &((struct pem_file *)field)->path);
}
