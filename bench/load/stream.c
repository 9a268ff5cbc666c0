#include "stream.h"
#include <strings.h>

enum { MAX_HEAD = 8192 };

/// The value of a header in a head that ends with 0, or NULL.
static const char *header_of(const char *head, const char *name) {
  size_t length = strlen(name);
  for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
    if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':') {
      const char *value = line + 3 + length;
      return value + strspn(value, " ");
    }
  }
  return NULL;
}

/// Answers how many of the bytes belong to the head; -1 when it is none.
static int64_t take_head(struct stream *stream, const char *bytes, int64_t count) {
  if (stream->head == NULL) stream->head = malloc(MAX_HEAD + 1);
  int before = stream->head_bytes;
  int64_t taken = count < MAX_HEAD - before ? count : MAX_HEAD - before;
  memcpy(stream->head + before, bytes, (size_t)taken);
  stream->head_bytes += (int)taken;
  stream->head[stream->head_bytes] = 0;
  char *end = memmem(stream->head, (size_t)stream->head_bytes, "\r\n\r\n", 4);
  if (end == NULL) return stream->head_bytes == MAX_HEAD ? -1 : taken;
  end[2] = 0;
  if (sscanf(stream->head, "HTTP/1.%*d %d", &stream->status) != 1) return -1;
  const char *length = header_of(stream->head, "content-length");
  const char *encoding = header_of(stream->head, "transfer-encoding");
  stream->left = length != NULL ? strtoll(length, NULL, 10) : -1;
  stream->state = encoding != NULL && strncasecmp(encoding, "chunked", 7) == 0 ? IN_SIZE : IN_BODY;
  if (stream->state == IN_SIZE) stream->left = 0;
  if (stream->state == IN_BODY && stream->left == 0) stream->state = OVER;
  int64_t head_bytes = end + 4 - stream->head;
  free(stream->head);
  stream->head = NULL;
  return head_bytes - before;
}

/// Finds markers in bytes of the body that lie together.
static void take_body(struct stream *stream, const char *at, int64_t count, on_marker tell, void *owner) {
  const char *end = at + count;
  while (at < end) {
    if (stream->marker_bytes == 0) {
      at = memchr(at, '@', (size_t)(end - at));
      if (at == NULL) return;
    }
    int64_t wanted = MARKER_BYTES - stream->marker_bytes;
    int64_t taken = end - at < wanted ? end - at : wanted;
    memcpy(stream->marker + stream->marker_bytes, at, (size_t)taken);
    stream->marker_bytes += (int)taken;
    at += taken;
    if (stream->marker_bytes < MARKER_BYTES) return;
    stream->marker_bytes = 0;
    const char *text = stream->marker;
    tell(owner, (struct marker){read_digits(text + 1, 6), read_digits(text + 8, 10), read_digits(text + 19, 18)});
  }
}

static int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// A byte of the framing between chunks; -1 when it cannot stand there.
static int take_framing(struct stream *stream, char c) {
  switch (stream->state) {
    case IN_SIZE:
      if (digit_of(c) >= 0) stream->left = stream->left * 16 + digit_of(c);
      else if (c == '\r' || c == ';') stream->state = IN_SIZE_END;
      else return -1;
      return 0;
    case IN_SIZE_END:
      if (c == '\n') stream->state = stream->left == 0 ? IN_TRAILER : IN_CHUNK;
      return 0;
    case IN_CHUNK_END:
      if (c == '\n') stream->state = IN_SIZE;
      else if (c != '\r') return -1;
      return 0;
    case IN_TRAILER:
      if (c == '\n') stream->state = OVER;
      return 0;
    default:
      return -1;
  }
}

int stream_take(struct stream *stream, const char *bytes, int64_t count, const struct listener *listener, void *owner) {
  const char *end = bytes + count;
  while (bytes < end) {
    if (stream->state == IN_HEAD) {
      int64_t taken = take_head(stream, bytes, end - bytes);
      if (taken < 0) return -1;
      bytes += taken;
      if (stream->state != IN_HEAD) listener->head(owner, stream->status);
    } else if (stream->state == IN_CHUNK || stream->state == IN_BODY) {
      int64_t taken = stream->left >= 0 && stream->left < end - bytes ? stream->left : end - bytes;
      take_body(stream, bytes, taken, listener->marker, owner);
      bytes += taken;
      if (stream->left < 0) continue;
      stream->left -= taken;
      if (stream->left == 0) stream->state = stream->state == IN_CHUNK ? IN_CHUNK_END : OVER;
    } else if (take_framing(stream, *bytes++) < 0) {
      return -1;
    }
  }
  return 0;
}

void stream_free(struct stream *stream) {
  free(stream->head);
  stream->head = NULL;
}
