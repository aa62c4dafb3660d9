/* TLS 1.3 records (RFC 8446 §5): pure functions over keys and buffers; no sockets. */
#ifndef MESHSHIM_RECORD_H
#define MESHSHIM_RECORD_H

#include "tls/keys.h"

enum {
    RECORD_HEADER = 5,
    RECORD_PLAINTEXT = 16384,                       /* most plaintext bytes */
    RECORD_OVERHEAD = RECORD_HEADER + 1 + AEAD_TAG, /* 22: around each record without padding */
    RECORD_BODY = RECORD_PLAINTEXT + 256,           /* most bytes behind the header, RFC 8446 §5.2 */
    RECORD_MOST = RECORD_HEADER + RECORD_BODY
};

enum record_type { RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, RECORD_DATA = 23 };
/* Alert descriptions that we send (RFC 8446 §6). */
enum record_alert {
    ALERT_CLOSE_NOTIFY = 0,
    ALERT_UNEXPECTED_MESSAGE = 10,
    ALERT_BAD_RECORD_MAC = 20,
    ALERT_RECORD_OVERFLOW = 22,
    ALERT_ILLEGAL_PARAMETER = 47,
    ALERT_DECODE_ERROR = 50,
    ALERT_INTERNAL_ERROR = 80
};

/*
 * Judges a header: the whole record's length (header and all), or minus the alert to send. Protected records are of
 * type application_data whatever they carry; anything else after the handshake is unexpected_message.
 */
int record_length(const uint8_t header[RECORD_HEADER]);

/*
 * Seals `length` (at most RECORD_PLAINTEXT) bytes from `in` (advanced) as one record of `type` into
 * out[length + RECORD_OVERHEAD]; uses up one sequence number. Returns the record's length, 0 on failure.
 * The caller rolls keys->seq back only where not one byte of the record was exposed.
 */
size_t record_seal(struct aead *aead, struct keys *keys, uint8_t type, struct iov *in, size_t length,
                   uint8_t *out);
/* The same, with the number `seq`: that keys->seq is to go beyond it is the caller's to see to. */
size_t record_seal_as(struct aead *aead, const struct keys *keys, uint64_t seq, uint8_t type, struct iov *in,
                      size_t length, uint8_t *out);
/* The same again, with one byte of padding: as long as a record of length + 1 bytes. */
size_t record_seal_padded(struct aead *aead, const struct keys *keys, uint64_t seq, uint8_t type,
                          struct iov *in, size_t length, uint8_t *out);

/* What was inside a record. */
struct record {
    uint8_t type;  /* enum record_type */
    size_t length; /* plaintext bytes, padding and type taken off */
};
/*
 * Opens the whole record at `in` (of `total` bytes, header included). Its plaintext goes to `out`, which must have room for
 * total - RECORD_OVERHEAD bytes (it is advanced by the plaintext's length; padding zeros may be written behind it). Uses up a
 * sequence number. Returns 0, or minus the alert to send; then out's content is wiped.
 */
int record_open(struct aead *aead, struct keys *keys, const uint8_t *in, size_t total, struct iov *out,
                struct record *record);
/* The same, with the number `seq`; none is used up. */
int record_open_as(struct aead *aead, const struct keys *keys, uint64_t seq, const uint8_t *in, size_t total,
                   struct iov *out, struct record *record);

/* RFC 8446 §5.5: AES-GCM keys protect at most 2^24.5 records; we change them earlier. */
bool record_wants_update(const struct keys *keys);

/* The name of an alert description, "bad_certificate"; "unknown alert" for a number without one. */
const char *record_alert_name(uint8_t description);

#endif
