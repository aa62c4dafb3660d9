/*
 * The hostile peer: an honest OpenSSL endpoint over memory, whose output passes through our hands on its way
 * to the victim. Bytes can be held back, flipped, forged or never sent, one record at a time and without a
 * race.
 */
#ifndef BAD_H
#define BAD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options {
    bool server; /* our role */
    int port;
    const char *ca;    /* the directory that bad_identity filled */
    const char *wire;  /* append every byte that the victim sends to this file */
    const char *until; /* honest: go on until this file exists */
    int count;         /* connections, or exchanges */
};

enum { LAST = 64 };
/* Ours, of the handshake and of what follows it. */
enum secret { HANDSHAKE_SECRET, TRAFFIC_SECRET, SECRETS };

struct peer {
    const struct options *options;
    int fd;
    SSL_CTX *context;
    SSL *ssl;
    BIO *in, *out; /* from and to the victim; owned by ssl */
    /* our own record layer, for what OpenSSL would never write */
    uint8_t key[16], iv[12];
    uint64_t sequence;
    uint8_t secrets[SECRETS][32]; /* from the key log */
    bool have_secret[SECRETS];
    /* what the victim said: its alert, -1: none; and how far the record has come that it is looked for in */
    int alert;
    uint8_t head[7];
    size_t have, left;
    uint8_t last[LAST]; /* its last bytes */
};

struct bad_case {
    const char *name;
    bool as_client, as_server; /* which roles it makes sense for */
    bool of_many;              /* one of many of its kind */
    void (*run)(struct peer *peer);
};
extern const struct bad_case bad_cases[];
extern const size_t bad_case_count;

/* bad_identity.c: a root, good and bad certificates in `directory`. 0: done. */
int make_identities(const char *directory);
int make_more_identities(const char *directory); /* bad_identities.c: from the same root */

/* bad_tls.c. `say` prints a line about what happened, for the test to read. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
int peer_start(struct peer *peer, const char *identity,
               int version); /* context and SSL, nothing sent yet; 0: done */
void peer_stop(struct peer *peer);
int peer_connect(struct peer *peer); /* bad_main.c: a fresh TCP connection to the victim; 0: done */
size_t peer_output(struct peer *peer, uint8_t *data,
                   size_t room); /* what OpenSSL wants sent: now it is ours */
bool raw_send(struct peer *peer, const void *data, size_t n);
bool raw_fill(struct peer *peer,
              int patience_ms); /* bytes from the victim into `in`; false: end, reset or nothing */
void raw_drain(struct peer *peer, int patience_ms); /* until the victim ends; says how */
void raw_hear(struct peer *peer, int patience_ms);  /* until it has said something */
void raw_reset(struct peer *peer);
bool peer_flush(struct peer *peer);
bool peer_handshake(struct peer *peer);                         /* says how it ended */
bool peer_write(struct peer *peer, const void *data, size_t n); /* seals, sends */
int peer_read(struct peer *peer, void *data, size_t n);         /* exactly n, or what SSL_read said */
bool peer_exchange(struct peer *peer,
                   const char *text); /* client: sends and reads back; server: echoes what comes */
bool forge(struct peer *peer, uint8_t type, const void *data, size_t n,
           size_t padding); /* a record sealed by us */
void forge_start(struct peer *peer, enum secret secret);
void forge_update(struct peer *peer); /* our next generation of keys */
/* One of our own records, sealed by OpenSSL: its plaintext goes to `plain`, type and all. The length, or 0. */
size_t unseal(struct peer *peer, const uint8_t *record, size_t n, uint8_t *plain);
const char *alert_name(int alert);

#endif
