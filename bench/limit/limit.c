// The limit: what the kernel lets a single thread do. It accepts streams and writes frames that are made once, as HTTP
// chunks, with one send() for each connection and event; in a burst with one send() for each connection and tick.
//
// It does nothing else while it publishes: no heads are read, nobody is looked for who has left. When a client's buffer
// is full it waits for that client. GET /events/<topic> is a stream, everything else is answered `ok`.
#include "../load/pace.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct topic {
  int *fds;
  int count, room;
  int64_t published;
};

static struct topic topics[MAX_TOPICS];
static int topic_of_fd[1 << 20];
static char frames[MAX_EVENT];
static const char stream_head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n";
static const char plain[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";

static void send_all(int fd, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) return;
    if (sent < 0) poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 1000);
    if (sent > 0) bytes += sent, count -= (size_t)sent;
  }
}

static int listen_on_loopback(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) < 0 || listen(fd, 511) < 0) die("listen");
  getsockname(fd, (struct sockaddr *)&at, &size);
  printf("{\"port\":%d}\n", ntohs(at.sin_port));
  fflush(stdout);
  return fd;
}

static void accept_all(int listener, int epoll) {
  int fd, yes = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    topic_of_fd[fd] = -1;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
}

static void leave(int fd) {
  if (topic_of_fd[fd] >= 0) {
    struct topic *topic = &topics[topic_of_fd[fd]];
    for (int i = 0; i < topic->count; i++) {
      if (topic->fds[i] == fd) topic->fds[i--] = topic->fds[--topic->count];
    }
  }
  close(fd);
}

/// Requests of the load client come in one piece.
static void take_request(int fd) {
  char request[4096];
  ssize_t count = recv(fd, request, sizeof request - 1, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) return leave(fd);
  request[count] = 0;
  int number;
  if (sscanf(request, "GET /events/%d", &number) != 1 || number >= MAX_TOPICS) return send_all(fd, plain, sizeof plain - 1);
  struct topic *topic = &topics[number];
  if (topic->count == topic->room) {
    topic->room = topic->room * 2 + 16;
    topic->fds = realloc(topic->fds, sizeof(int) * (size_t)topic->room);
  }
  topic->fds[topic->count++] = fd;
  topic_of_fd[fd] = number;
  send_all(fd, stream_head, sizeof stream_head - 1);
}

/// An event as a chunk of its own; answers its length.
static size_t write_frame(char *out, int number, int bytes) {
  static char event[MAX_EVENT];
  int64_t n = ++topics[number].published;
  int length = sprintf(event, "id: %ld\ndata: ", n);
  length += write_data(event + length, bytes, number, n, now_ns());
  length += sprintf(event + length, "\n\n");
  int size = sprintf(out, "%x\r\n", length);
  memcpy(out + size, event, (size_t)length);
  memcpy(out + size + length, "\r\n", 2);
  return (size_t)(size + length + 2);
}

static void publish(const char *line) {
  struct pace pace = pace_of(line);
  // The limit of a saturated server is one send() for each event too.
  if (is_command(line, "saturate")) pace.size = 1;
  int64_t started_at_ns = now_ns(), published = 0;
  while (pace_wait(&pace)) {
    int number = pace.topics > 1 ? (int)any_below(pace.topics) : 0;
    size_t length = 0;
    for (int i = 0; i < pace.size; i++) length += write_frame(frames + length, number, pace.bytes);
    for (int i = 0; i < topics[number].count; i++) send_all(topics[number].fds[i], frames, length);
    published += pace.size;
  }
  printf("{\"published\":%ld,\"tookMs\":%.2f}\n", published, (double)(now_ns() - started_at_ns) / 1e6);
  fflush(stdout);
}

static void take_command(void) {
  static char line[MAX_LINE];
  if (fgets(line, sizeof line, stdin) == NULL) exit(0);
  line[strcspn(line, "\n")] = 0;
  publish(line);
}

int main(void) {
  // One command is sent at a time, so nothing may wait in a buffer where epoll does not see it.
  setvbuf(stdin, NULL, _IONBF, 0);
  int listener = listen_on_loopback(), epoll = epoll_create1(0);
  struct epoll_event events[2] = {{.events = EPOLLIN, .data.fd = 0}, {.events = EPOLLIN, .data.fd = listener}}, ready[512];
  for (int i = 0; i < 2; i++) epoll_ctl(epoll, EPOLL_CTL_ADD, events[i].data.fd, &events[i]);
  for (;;) {
    int count = epoll_wait(epoll, ready, 512, -1);
    for (int i = 0; i < count; i++) {
      if (ready[i].data.fd == listener) accept_all(listener, epoll);
      else if (ready[i].data.fd == 0) take_command();
      else take_request(ready[i].data.fd);
    }
  }
}
