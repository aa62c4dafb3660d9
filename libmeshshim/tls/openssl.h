/* OpenSSL's own start-up: once, without its exit handler and without its configuration file. */
#ifndef MESHSHIM_OPENSSL_H
#define MESHSHIM_OPENSSL_H

#include <stdbool.h>

/* Call before the first use of OpenSSL in a file of this layer; any thread, any number of times. False: out
 * of memory. */
bool openssl_start(void);
/* Before words for an error are asked for: from here on OpenSSL has them. */
void openssl_need_words(void);
/* What it allocates in this thread from here on, or no longer, holds keys: base/vault.h. Where it is the program's too, that is not ours to say. */
void openssl_secretly(bool begins);
/*
 * How often it has got no memory. It does not always say so: what is made meanwhile may lack a part, an algorithm for example. (Not counted
 * where it is the program's OpenSSL.)
 */
unsigned openssl_shortages(void);

#endif
