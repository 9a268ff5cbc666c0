// When events are published, for the programs in C; bench/servers/driver.mjs is the same for those in Node.
//
//   paced rate=20 seconds=5 bytes=100 topics=1     one event after the other, at equal distances; of several topics any;
//                                                  with tickMs=10, what is due is published every 10 ms
//   burst size=50 everyMs=500 seconds=5            `size` events at once
//   saturate seconds=2 perTurn=16                  without a pause
#pragma once
#include "common.h"
#include <errno.h>

struct pace {
  int bytes, topics, size;
  int64_t ends_at_ns, every_ns, next_at_ns, tick_ns;
};

static inline struct pace pace_of(const char *line) {
  int64_t now = now_ns();
  struct pace pace = {.bytes = (int)number_of(line, "bytes", 100), .topics = (int)number_of(line, "topics", 1), .size = 1};
  pace.ends_at_ns = now + (int64_t)(number_of(line, "seconds", 1) * 1e9);
  pace.every_ns = (int64_t)(1e9 / number_of(line, "rate", 1e9));
  if (is_command(line, "burst")) {
    pace.size = (int)number_of(line, "size", 50);
    pace.every_ns = (int64_t)(number_of(line, "everyMs", 500) * 1e6);
  }
  if (is_command(line, "saturate")) {
    pace.size = (int)number_of(line, "perTurn", 1);
    pace.every_ns = 0;
  }
  pace.tick_ns = (int64_t)(number_of(line, "tickMs", 0) * 1e6);
  pace.next_at_ns = now;
  return pace;
}

/// Sleeps until the next events are due; 0 when it is over.
static inline int pace_wait(struct pace *pace) {
  if (pace->next_at_ns >= pace->ends_at_ns || now_ns() >= pace->ends_at_ns) return 0;
  int64_t at_ns = pace->next_at_ns;
  if (pace->tick_ns > 0) at_ns = (at_ns + pace->tick_ns - 1) / pace->tick_ns * pace->tick_ns;
  struct timespec until = {at_ns / 1000000000LL, at_ns % 1000000000LL};
  // Sleeping until what is past is not for nothing: the kernel sets a timer all the same.
  while (now_ns() < at_ns && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) continue;
  pace->next_at_ns += pace->every_ns;
  return 1;
}
