/* Functions that overflow, lose errors or end the host program are refused at compile time. */
#ifndef MESHSHIM_BANNED_H
#define MESHSHIM_BANNED_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok atoi atol atoll
#pragma GCC poison rand srand tmpnam mktemp abort

#endif
