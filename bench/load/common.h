// What the C programs of the bench share: the clock, commands, and the form of an event.
//
// A command is a line, "word key=value key=value"; the answer is one line of JSON.
//
// The data of an event is "@topic:n:t:" and filler, with fixed widths: the topic's number (6 digits), the event's number
// in its topic, from 1 (10), and when it was published, in ns of CLOCK_MONOTONIC (18). There are no quotes in it, so that
// it looks the same after any serialiser. The client finds it by its '@', which nothing else in a stream has.
#pragma once
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MARKER_BYTES = 38, MAX_TOPICS = 200000, MAX_LINE = 4096, MAX_EVENT = 1 << 20 };

static inline int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static inline void die(const char *what) {
  perror(what);
  exit(1);
}

/// Where the value of a key begins, or NULL.
static inline const char *find_value(const char *line, const char *key) {
  size_t length = strlen(key);
  for (const char *at = line; (at = strchr(at, ' ')) != NULL;) {
    at++;
    if (strncmp(at, key, length) == 0 && at[length] == '=') return at + length + 1;
  }
  return NULL;
}

static inline double number_of(const char *line, const char *key, double fallback) {
  const char *value = find_value(line, key);
  return value == NULL ? fallback : strtod(value, NULL);
}

static inline void text_of(const char *line, const char *key, char *out, size_t size, const char *fallback) {
  const char *value = find_value(line, key);
  if (value == NULL) value = fallback;
  size_t length = strcspn(value, " \r\n");
  if (length >= size) length = size - 1;
  memcpy(out, value, length);
  out[length] = 0;
}

static inline int is_command(const char *line, const char *word) {
  size_t length = strlen(word);
  return strncmp(line, word, length) == 0 && (line[length] == ' ' || line[length] == 0);
}

static inline void write_digits(char *at, int width, int64_t value) {
  for (int i = width - 1; i >= 0; i--, value /= 10) at[i] = (char)('0' + value % 10);
}

static inline int64_t read_digits(const char *at, int width) {
  int64_t value = 0;
  for (int i = 0; i < width; i++) value = value * 10 + (at[i] - '0');
  return value;
}

/// Writes the data of an event, `bytes` long; answers the length, which is at least the marker's.
static inline int write_data(char *out, int bytes, int64_t topic, int64_t n, int64_t at_ns) {
  memset(out, 'x', (size_t)(bytes > MARKER_BYTES ? bytes : MARKER_BYTES));
  out[0] = '@';
  write_digits(out + 1, 6, topic);
  out[7] = ':';
  write_digits(out + 8, 10, n);
  out[18] = ':';
  write_digits(out + 19, 18, at_ns);
  out[37] = ':';
  return bytes > MARKER_BYTES ? bytes : MARKER_BYTES;
}

/// Any of 0 … below-1, the same in every run.
static inline int64_t any_below(int64_t below) {
  static uint64_t state = 88172645463325252ULL;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (int64_t)(state % (uint64_t)below);
}
