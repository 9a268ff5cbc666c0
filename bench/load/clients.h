// The client's connections: opened a few at a time, kept, read, checked, and reset at the end.
#pragma once
#include "histogram.h"
#include "stream.h"

struct client {
  int fd;
  int index;
  /// The number that the next event must have; 0: any.
  int64_t next;
  /// The same of the topic that others read, too.
  int64_t shared_next;
  int64_t connected_at_ns;
  /// Counts when it has got this event; 0: none.
  int64_t goal;
  uint8_t reads, measured, once, is_waiting_for_head, is_sending;
  struct stream stream;
};

/// What came since the last `reset_counts`.
struct counts {
  int64_t received, lost, repeated, misordered, strays, broken, closed;
  int64_t first_at_ns, last_at_ns;
  struct histogram latency;
};

/// One wave of connections that are opened together.
struct wave {
  int port, wanted, first_index, concurrency, buffer_bytes, segment_bytes;
  int64_t next, goal;
  /// The number of a topic that each of them reads beside its own; -1: none.
  int64_t shared;
  uint8_t reads, measured, once;
  char path[256], id[1024];
  int started, waiting, opened, failed, reached;
  int64_t started_at_ns, finished_at_ns, reached_at_ns;
  struct histogram head, reach;
};

extern struct counts counts;
extern struct wave wave;
extern int open_clients;

void clients_start(int epoll);
/// Opens as many as the wave's concurrency allows now.
void clients_open_more(void);
void clients_on_event(struct client *client, uint32_t events);
void clients_close_all(void);
