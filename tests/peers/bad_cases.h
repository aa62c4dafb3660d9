/* The cases, and the steps that they share. */
#ifndef BAD_CASES_H
#define BAD_CASES_H

#include <time.h>

#include "bad.h"

#define SECRET "top-secret-of-the-peer"

enum { MOMENT = 3, PATIENCE = 8000, FLIGHT = 16384 };

#define CASE(name, as_client, as_server) void case_##name(struct peer *peer);
#include "bad_cases.def"

/* bad_identity.c: "short", good for that many seconds. 0: done. */
int mint_short(const char *directory, int seconds, time_t *end);

void pause_ms(int ms);
bool start_honest(struct peer *peer);                  /* as default/client or default/server, TLS 1.3 */
bool established(struct peer *peer);                   /* and a message went each way */
size_t first_flight(struct peer *peer, uint8_t *data); /* at most FLIGHT bytes, not sent */
void hear_hello(struct peer *peer);                    /* as server: until the client has spoken */
bool drip_handshake(struct peer *peer, int pause);     /* a byte at a time, with a pause between */
void talk(struct peer *peer, int times);               /* and a server: until the victim ends */
/* What is to be sent now: a client's own, or those that a server has been sent. */
bool words(struct peer *peer, char data[sizeof SECRET]);
void goodbye(struct peer *peer); /* and the victim's */
bool forging(struct peer *peer); /* established, and from here on our own records */

#endif
