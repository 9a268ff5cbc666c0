#include "clients.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct counts counts;
struct wave wave;
int open_clients;

static int epoll_fd;
static struct client **all;
static int all_count, all_room;
static int64_t read_at_ns;
static char buffer[256 * 1024];

void clients_start(int epoll) { epoll_fd = epoll; }

static void watch(struct client *client, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = client};
  if (epoll_ctl(epoll_fd, operation, client->fd, &event) < 0) die("epoll_ctl");
}

/// Ends a connection: after one whole response in order, else with a reset, so that no port stays in TIME_WAIT. (For
/// Node a reset is an error, which costs it more than answering a short request.)
static void cut(struct client *client) {
  if (client->fd < 0) return;
  struct linger at_once = {1, 0};
  if (!client->once) setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(client->fd);
  client->fd = -1;
  stream_free(&client->stream);
  open_clients--;
}

/// The head has come, or never will.
static void settle_head(struct client *client, int is_good) {
  if (!client->is_waiting_for_head) return;
  client->is_waiting_for_head = 0;
  wave.waiting--;
  if (is_good) wave.opened++;
  else wave.failed++;
  int64_t now = now_ns();
  if (is_good) histogram_add(&wave.head, now - client->connected_at_ns);
  wave.finished_at_ns = now;
}

static void on_head_of(void *owner, int status) {
  struct client *client = owner;
  if (!client->once) settle_head(client, status == 200);
}

static void on_marker_of(void *owner, struct marker marker) {
  struct client *client = owner;
  counts.received++;
  if (counts.first_at_ns == 0) counts.first_at_ns = read_at_ns;
  counts.last_at_ns = read_at_ns;
  if (client->measured) histogram_add(&counts.latency, read_at_ns - marker.at_ns);
  int is_shared = wave.shared >= 0 && marker.topic == wave.shared;
  if (!is_shared && marker.topic != client->index && client->index >= 0) counts.strays++;
  int64_t *next = is_shared ? &client->shared_next : &client->next;
  if (*next != 0 && marker.n != *next) {
    if (marker.n > *next) counts.lost += marker.n - *next;
    else if (marker.n == *next - 1) counts.repeated++;
    else counts.misordered++;
  }
  *next = marker.n + 1;
  if (client->goal != 0 && marker.n >= client->goal) {
    client->goal = 0;
    wave.reached++;
    wave.reached_at_ns = read_at_ns;
    histogram_add(&wave.reach, read_at_ns - client->connected_at_ns);
  }
}

static const struct listener listener = {on_head_of, on_marker_of};

static void send_request(struct client *client) {
  char path[300], request[2048];
  snprintf(path, sizeof path, wave.path, client->index < 0 ? 0 : client->index);
  int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n%s%s%s\r\n",
                        path, wave.id[0] ? "Last-Event-ID: " : "", wave.id, wave.id[0] ? "\r\n" : "");
  ssize_t sent = send(client->fd, request, (size_t)length, MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
  client->is_sending = 0;
  if (sent != length) {
    settle_head(client, 0);
    cut(client);
    return;
  }
  watch(client, EPOLL_CTL_MOD, client->reads ? EPOLLIN : 0);
  // Of one that does not read, nothing more is to be learned.
  if (!client->reads) settle_head(client, 1);
}

static struct client *remember(struct client client) {
  if (all_count == all_room) {
    all_room = all_room * 2 + 1024;
    all = realloc(all, sizeof *all * (size_t)all_room);
  }
  struct client *kept = all[all_count++] = malloc(sizeof *kept);
  *kept = client;
  open_clients++;
  return kept;
}

static void open_one(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
  if (fd < 0) die("socket (is `ulimit -n` large enough?)");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (wave.buffer_bytes > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wave.buffer_bytes, sizeof wave.buffer_bytes);
  if (wave.segment_bytes > 0) setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &wave.segment_bytes, sizeof wave.segment_bytes);
  int has_index = strchr(wave.path, '%') != NULL;
  struct client *client = remember((struct client){
      .fd = fd, .index = has_index ? wave.first_index + wave.started : -1, .next = wave.next, .shared_next = wave.next, .goal = wave.goal,
      .reads = wave.reads, .measured = wave.measured, .once = wave.once, .is_waiting_for_head = 1, .is_sending = 1});
  wave.started++;
  wave.waiting++;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)wave.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  client->connected_at_ns = now_ns();
  watch(client, EPOLL_CTL_ADD, EPOLLOUT);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
    settle_head(client, 0);
    cut(client);
    return;
  }
  send_request(client);
}

void clients_open_more(void) {
  while (wave.started < wave.wanted && wave.waiting < wave.concurrency) open_one();
}

static void read_all(struct client *client) {
  for (;;) {
    ssize_t count = recv(client->fd, buffer, sizeof buffer, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    read_at_ns = now_ns();
    int is_bad = count <= 0 || stream_take(&client->stream, buffer, count, &listener, client) < 0;
    if (count > 0 && is_bad) counts.broken++;
    if (is_bad || client->stream.state == OVER) {
      settle_head(client, client->once && client->stream.state == OVER && client->stream.status == 200);
      if (!client->once) counts.closed++;
      cut(client);
      return;
    }
    if (count < (ssize_t)sizeof buffer) return;
  }
}

void clients_on_event(struct client *client, uint32_t events) {
  if (client->fd < 0) return;
  if (client->is_sending && (events & (EPOLLOUT | EPOLLERR))) send_request(client);
  else if (client->reads) read_all(client);
  else if (events & (EPOLLERR | EPOLLHUP)) {
    counts.closed++;
    cut(client);
  }
}

void clients_close_all(void) {
  for (int i = 0; i < all_count; i++) {
    cut(all[i]);
    free(all[i]);
  }
  all_count = 0;
}
