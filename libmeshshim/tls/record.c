/* See record.h. */
#include "tls/record.h"

#include "base/banned.h"

/* The smallest protected body: an inner type and the tag. */
#define BODY_LEAST (1 + AEAD_TAG)
/* Well below RFC 8446 §5.5's 2^24.5, so that a busy sender has time to get its KeyUpdate out. */
#define UPDATE_AFTER (UINT64_C(1) << 23)

static size_t body_length(const uint8_t *header)
{
    return (size_t)header[3] << 8 | header[4];
}

/* The version is RFC 8446's legacy_record_version: to be ignored. */
int record_length(const uint8_t header[RECORD_HEADER])
{
    size_t body = body_length(header);

    if (header[0] != RECORD_DATA)
        return -ALERT_UNEXPECTED_MESSAGE;
    if (body > RECORD_BODY)
        return -ALERT_RECORD_OVERFLOW;
    if (body < BODY_LEAST) /* no tag can be in there that matches */
        return -ALERT_BAD_RECORD_MAC;
    return RECORD_HEADER + (int)body;
}

/* The tail is what stands behind the content: the type, and padding. */
static size_t seal(struct aead *aead, const struct keys *keys, uint64_t seq, struct iov *in, size_t length,
                   const uint8_t *tail, size_t tail_length, uint8_t *out)
{
    size_t body = length + tail_length + AEAD_TAG;
    uint8_t nonce[AEAD_NONCE];

    if (length > RECORD_PLAINTEXT || seq == UINT64_MAX)
        return 0;
    out[0] = RECORD_DATA;
    out[1] = 3;
    out[2] = 3;
    out[3] = (uint8_t)(body >> 8);
    out[4] = (uint8_t)body;
    keys_nonce_of(keys, seq, nonce);
    if (!aead_seal(aead, nonce, out, RECORD_HEADER, in, length, tail, tail_length, out + RECORD_HEADER))
        return 0;
    return RECORD_HEADER + body;
}

size_t record_seal(struct aead *aead, struct keys *keys, uint8_t type, struct iov *in, size_t length,
                   uint8_t *out)
{
    uint64_t seq = keys->seq;

    if (seq < UINT64_MAX)
        keys->seq++; /* whatever comes of it, this nonce is used */
    return seal(aead, keys, seq, in, length, &type, 1, out);
}

size_t record_seal_as(struct aead *aead, const struct keys *keys, uint64_t seq, uint8_t type, struct iov *in,
                      size_t length, uint8_t *out)
{
    return seal(aead, keys, seq, in, length, &type, 1, out);
}

size_t record_seal_padded(struct aead *aead, const struct keys *keys, uint64_t seq, uint8_t type,
                          struct iov *in, size_t length, uint8_t *out)
{
    return seal(aead, keys, seq, in, length, (const uint8_t[]){ type, 0 }, 2, out);
}

/* The last byte that is not zero among the n at `at`; NULL where all are. *before: how many bytes precede it.
 */
static uint8_t *last_byte(struct iov at, size_t n, size_t *before)
{
    uint8_t *found = NULL;

    for (size_t seen = 0; seen < n;) {
        struct iovec span = iov_span(&at, n - seen);
        uint8_t *bytes = span.iov_base;
        size_t i = span.iov_len;
        while (i > 0 && bytes[i - 1] == 0)
            i--;
        if (i > 0) {
            found = bytes + i - 1;
            *before = seen + i - 1;
        }
        iov_advance(&at, span.iov_len);
        seen += span.iov_len;
    }
    return found;
}

/* The type is the inner plaintext's last byte that is not zero: `last` itself unless there is padding. */
static void take_type(struct iov at, size_t n, uint8_t last, struct record *record)
{
    uint8_t *type;

    record->type = last;
    record->length = n;
    if (last)
        return;
    record->length = 0;
    type = last_byte(at, n, &record->length);
    if (type) {
        record->type = *type;
        *type = 0;
    }
}

/* RFC 8446 §5.4: no type at all, a type that is none, or an alert or handshake message without content. */
static bool acceptable(const struct record *record)
{
    switch (record->type) {
    case RECORD_DATA:
        return true;
    case RECORD_ALERT:
    case RECORD_HANDSHAKE:
        return record->length > 0;
    default:
        return false;
    }
}

/*
 * Opens `most` bytes to `out`, and the one behind them, which is the type unless there is padding, to *last: it is kept out of the caller's
 * buffer. Where that goes on in one piece it is there for a moment, for so it is done sooner. (The elements may go on behind what is left.)
 */
static bool open_body(struct aead *aead, const uint8_t *nonce, const uint8_t *in, size_t most,
                      const struct iov *out, uint8_t *last)
{
    struct iovec span = iov_span(out, most + 1);
    struct iov at = *out;

    if (out->left > most && span.iov_len > most) {
        uint8_t *behind = (uint8_t *)span.iov_base + most, before = *behind;
        bool good =
            aead_open_whole(aead, nonce, in, RECORD_HEADER, in + RECORD_HEADER, most + 1, span.iov_base);
        *last = *behind;
        *behind = before;
        return good;
    }
    at.left = most;
    return aead_open(aead, nonce, in, RECORD_HEADER, in + RECORD_HEADER, most + 1, &at, last, 1);
}

int record_open_as(struct aead *aead, const struct keys *keys, uint64_t seq, const uint8_t *in, size_t total,
                   struct iov *out, struct record *record)
{
    int whole = record_length(in);
    size_t most = total - RECORD_OVERHEAD;
    uint8_t nonce[AEAD_NONCE], last;

    if (whole < 0)
        return whole;
    if ((size_t)whole != total || most > out->left || seq == UINT64_MAX)
        return -ALERT_INTERNAL_ERROR;
    if (most > RECORD_PLAINTEXT)
        return -ALERT_RECORD_OVERFLOW;
    keys_nonce_of(keys, seq, nonce);
    if (!open_body(aead, nonce, in, most, out, &last))
        return -ALERT_BAD_RECORD_MAC;
    take_type(*out, most, last, record);
    if (!acceptable(record)) {
        aead_wipe(*out, most);
        return -ALERT_UNEXPECTED_MESSAGE;
    }
    iov_advance(out, record->length);
    return 0;
}

int record_open(struct aead *aead, struct keys *keys, const uint8_t *in, size_t total, struct iov *out,
                struct record *record)
{
    int alert = record_open_as(aead, keys, keys->seq, in, total, out, record);

    if (alert == 0 || (alert == -ALERT_UNEXPECTED_MESSAGE && in[0] == RECORD_DATA)) /* opened all the same */
        keys->seq++;
    return alert;
}

bool record_wants_update(const struct keys *keys)
{
    return keys->suite != AEAD_CHACHA20_POLY1305 && keys->seq >= UPDATE_AFTER;
}

/* RFC 8446 §6, and what older peers may say. */
static const char *const alert_names[] = {
    [0] = "close_notify",
    [10] = "unexpected_message",
    [20] = "bad_record_mac",
    [21] = "decryption_failed",
    [22] = "record_overflow",
    [30] = "decompression_failure",
    [40] = "handshake_failure",
    [41] = "no_certificate",
    [42] = "bad_certificate",
    [43] = "unsupported_certificate",
    [44] = "certificate_revoked",
    [45] = "certificate_expired",
    [46] = "certificate_unknown",
    [47] = "illegal_parameter",
    [48] = "unknown_ca",
    [49] = "access_denied",
    [50] = "decode_error",
    [51] = "decrypt_error",
    [60] = "export_restriction",
    [70] = "protocol_version",
    [71] = "insufficient_security",
    [80] = "internal_error",
    [86] = "inappropriate_fallback",
    [90] = "user_canceled",
    [100] = "no_renegotiation",
    [109] = "missing_extension",
    [110] = "unsupported_extension",
    [111] = "certificate_unobtainable",
    [112] = "unrecognized_name",
    [113] = "bad_certificate_status_response",
    [114] = "bad_certificate_hash_value",
    [115] = "unknown_psk_identity",
    [116] = "certificate_required",
    [120] = "no_application_protocol",
};

const char *record_alert_name(uint8_t description)
{
    size_t known = sizeof alert_names / sizeof alert_names[0];
    const char *name = description < known ? alert_names[description] : NULL;
    return name ? name : "unknown alert";
}
