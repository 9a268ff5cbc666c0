// One response, read as it comes: its head, its framing (chunked, by length, or until the end), and in its body the
// markers of events. Bytes may be split anywhere: in the head, in a chunk's size, in a marker.
#pragma once
#include "common.h"

enum stream_state { IN_HEAD, IN_SIZE, IN_SIZE_END, IN_CHUNK, IN_CHUNK_END, IN_BODY, IN_TRAILER, OVER };

struct stream {
  enum stream_state state;
  int status;
  /// Of the chunk, or of a body with a length; below zero: until the connection ends.
  int64_t left;
  char *head;
  int head_bytes;
  int marker_bytes;
  char marker[MARKER_BYTES];
};

struct marker {
  int64_t topic, n, at_ns;
};

/// Called for each event, and once when the head is complete.
typedef void (*on_marker)(void *owner, struct marker marker);
typedef void (*on_head)(void *owner, int status);

struct listener {
  on_head head;
  on_marker marker;
};

/// Takes bytes as they were received; -1 if they are no HTTP response.
int stream_take(struct stream *stream, const char *bytes, int64_t count, const struct listener *listener, void *owner);
void stream_free(struct stream *stream);
