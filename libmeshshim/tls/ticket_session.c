/* See ticket_session.h. */
#include "tls/ticket_session.h"

#include <string.h>

#include <openssl/asn1.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/banned.h"

enum { LIFETIME = 9, TICKET = 10, AGE_ADD = 14, FIELDS_ROOM = SESSION_TICKET + 64 };

/* A field of SSL_SESSION's sequence: [tag] EXPLICIT of what `length` bytes at `content` encode. */
static void put_field(uint8_t **out, int tag, const uint8_t *content, int length)
{
    ASN1_put_object(out, 1, length, tag, V_ASN1_CONTEXT_SPECIFIC);
    memcpy(*out, content, (size_t)length);
    *out += length;
}

static bool put_number(uint8_t **out, int tag, uint32_t number)
{
    ASN1_INTEGER *integer = ASN1_INTEGER_new();
    uint8_t der[16], *end = der;
    bool ok = integer && ASN1_INTEGER_set_uint64(integer, number) == 1 &&
              i2d_ASN1_INTEGER(integer, NULL) <= (int)sizeof der && i2d_ASN1_INTEGER(integer, &end) > 0;
    if (ok)
        put_field(out, tag, der, (int)(end - der));
    ASN1_INTEGER_free(integer);
    return ok;
}

static void put_ticket(uint8_t **out, const uint8_t *ticket, int length)
{
    int inner = ASN1_object_size(0, length, V_ASN1_OCTET_STRING);
    ASN1_put_object(out, 1, inner, TICKET, V_ASN1_CONTEXT_SPECIFIC);
    ASN1_put_object(out, 0, length, V_ASN1_OCTET_STRING, V_ASN1_UNIVERSAL);
    memcpy(*out, ticket, (size_t)length);
    *out += length;
}

/* Where in the sequence of `length` bytes at `own` they belong: behind the fields with lower tags. NULL: some are there already. */
static const uint8_t *place_in(const uint8_t *own, long length)
{
    const uint8_t *at = own, *end = own + length;
    while (at < end) {
        const uint8_t *content = at;
        long inside;
        int tag, class;
        if (ASN1_get_object(&content, &inside, &tag, &class, end - at) & 0x80)
            return NULL;
        if (class == V_ASN1_CONTEXT_SPECIFIC && tag >= LIFETIME)
            return tag > AGE_ADD ? at : NULL;
        at = content + inside;
    }
    return at;
}

static bool put_fields(uint8_t **out, const struct session *s, const uint8_t *ticket)
{
    if (!put_number(out, LIFETIME, s->lifetime))
        return false;
    put_ticket(out, ticket, s->ticket_length);
    return put_number(out, AGE_ADD, s->age_add);
}

/* The sequence anew, with them; at `body`, and whole at `whole`. */
static SSL_SESSION *with_fields(const uint8_t *own, long length, const struct session *s,
                                const uint8_t *ticket, uint8_t *body, uint8_t *whole)
{
    const uint8_t *behind = place_in(own, length), *from = whole;
    uint8_t *at = body, *end = whole;
    if (!behind)
        return NULL;
    memcpy(at, own, (size_t)(behind - own));
    at += behind - own;
    if (!put_fields(&at, s, ticket))
        return NULL;
    memcpy(at, behind, (size_t)(own + length - behind));
    at += own + length - behind;
    ASN1_put_object(&end, 1, (int)(at - body), V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    memcpy(end, body, (size_t)(at - body));
    return d2i_SSL_SESSION(NULL, &from, end - whole + (at - body));
}

/* What names it to OpenSSL: it is one that can be resumed. */
static bool set_name(SSL_SESSION *like, const struct session *s, const uint8_t *ticket)
{
    uint8_t name[32];
    unsigned length;
    return EVP_Digest(ticket, s->ticket_length, name, &length, EVP_sha256(), NULL) == 1 &&
           SSL_SESSION_set1_id(like, name, length) == 1 && SSL_SESSION_set_time(like, (long)s->given) != 0 &&
           SSL_SESSION_set_timeout(like, (long)s->lifetime) == 1;
}

SSL_SESSION *ticket_session(SSL_SESSION *like, const struct session *s, const uint8_t *ticket)
{
    uint8_t *der = NULL, *room = NULL;
    int length = set_name(like, s, ticket) ? i2d_SSL_SESSION(like, &der) : 0, tag, class;
    size_t each = (size_t)(length > 0 ? length : 0) + FIELDS_ROOM;
    const uint8_t *own = der;
    SSL_SESSION *session = NULL;
    long inside;
    if (length > 0 && ASN1_get_object(&own, &inside, &tag, &class, length) == V_ASN1_CONSTRUCTED &&
        (room = OPENSSL_malloc(2 * each)) != NULL)
        session = with_fields(own, inside, s, ticket, room, room + each);
    OPENSSL_clear_free(room, 2 * each);
    if (der)
        OPENSSL_clear_free(der, (size_t)length);
    return session;
}
