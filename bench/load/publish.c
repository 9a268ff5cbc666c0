// Publishes to a server over HTTP: POST /publish/<topic> on one connection that is kept. It is for servers that are not
// in this process, such as nchan. `perTurn` is how many requests are sent before their answers are waited for; those of a
// burst are sent in one write; `paced` sends at its times, whether answers have come or not. The port is the first argument.
//
// Its own time is not counted as the server's; that of receiving and answering the requests is.
#include "pace.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum { MAX_PIPELINE = 1 << 22 };

static int fd;
static int64_t published_of[MAX_TOPICS];
static char answers[MAX_PIPELINE + 1];
static size_t filled;
static int64_t missing, refused;
static char last_id[256];

static void connect_to(int port) {
  int yes = 1;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static size_t write_request(char *out, int topic, int bytes) {
  static char data[MAX_EVENT];
  int length = write_data(data, bytes, topic, ++published_of[topic], now_ns());
  int head = sprintf(out, "POST /publish/%d HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/json\r\nContent-Length: %d\r\n\r\n", topic, length);
  memcpy(out + head, data, (size_t)length);
  return (size_t)(head + length);
}

/// Keeps the id of the newest message, which nchan tells in each answer.
static void note_last_id(char *answer, size_t length) {
  const char *name = "\"last_message_id\": \"", *at = memmem(answer, length, name, strlen(name));
  if (at != NULL) snprintf(last_id, sizeof last_id, "%.*s", (int)strcspn(at + strlen(name), "\""), at + strlen(name));
}

/// Reads answers until no more than `most` are missing, and whatever has come; those of nchan have a length.
static void read_answers(int64_t most) {
  for (;;) {
    ssize_t got = recv(fd, answers + filled, MAX_PIPELINE - filled, missing > most ? 0 : MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) die("recv");
    filled += (size_t)got;
    answers[filled] = 0;
    char *at = answers, *end;
    while ((end = strstr(at, "\r\n\r\n")) != NULL) {
      char *length = strstr(at, "Content-Length: ");
      size_t whole = (size_t)(end + 4 - at) + (length != NULL && length < end ? strtoul(length + 16, NULL, 10) : 0);
      if ((size_t)(answers + filled - at) < whole) break;
      if (strncmp(at, "HTTP/1.1 20", 11) != 0) refused++;
      note_last_id(at, whole);
      at += whole;
      missing--;
    }
    filled -= (size_t)(at - answers);
    memmove(answers, at, filled + 1);
  }
}

static void send_all(const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
    if (sent < 0) die("send");
    bytes += sent;
    count -= (size_t)sent;
  }
}

static void publish(const char *line) {
  static char requests[MAX_PIPELINE];
  struct pace pace = pace_of(line);
  int64_t started_at_ns = now_ns(), published = 0;
  refused = 0;
  while (pace_wait(&pace)) {
    size_t length = 0;
    for (int i = 0; i < pace.size; i++) {
      length += write_request(requests + length, pace.topics > 1 ? (int)any_below(pace.topics) : 0, pace.bytes);
    }
    missing += pace.size;
    send_all(requests, length);
    read_answers(is_command(line, "paced") ? MAX_PIPELINE : 0);
    published += pace.size;
  }
  read_answers(0);
  printf("{\"published\":%ld,\"refused\":%ld,\"tookMs\":%.2f,\"lastId\":\"%s\"}\n", published, refused, (double)(now_ns() - started_at_ns) / 1e6, last_id);
  fflush(stdout);
}

int main(int count, char **arguments) {
  if (count < 2) return 2;
  connect_to(atoi(arguments[1]));
  printf("{\"port\":%s}\n", arguments[1]);
  fflush(stdout);
  static char line[MAX_LINE];
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = 0;
    publish(line);
  }
}
