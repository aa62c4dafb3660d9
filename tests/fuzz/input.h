/* A fuzzer's bytes, taken from the front; what is beyond their end reads as zero. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct input {
    const uint8_t *at;
    size_t left;
};

static inline void must(bool held)
{
    if (!held)
        __builtin_trap();
}

/* Up to n bytes; returns how many there were. */
static inline size_t input_bytes(struct input *input, void *to, size_t n)
{
    size_t there = n < input->left ? n : input->left;
    memset(to, 0, n);
    if (there)
        memcpy(to, input->at, there);
    input->at += there;
    input->left -= there;
    return there;
}

static inline uint8_t input_u8(struct input *input)
{
    uint8_t value;
    input_bytes(input, &value, sizeof value);
    return value;
}

static inline uint16_t input_u16(struct input *input)
{
    uint16_t value;
    input_bytes(input, &value, sizeof value);
    return value;
}

/* Writes the next bytes somewhere into the `room` at `memory`: two bytes say where, one how many. */
static inline void input_scribble(struct input *input, void *memory, size_t room)
{
    size_t at = input_u16(input) % room, n = input_u8(input) % 65;
    uint8_t bytes[64];
    n = input_bytes(input, bytes, n < room - at ? n : room - at);
    if (n)
        memcpy((uint8_t *)memory + at, bytes, n);
}

#endif
