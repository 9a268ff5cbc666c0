// The load client. It reads commands from its standard input, one at a time, and ends with it.
//
//   open port=… path=/events/%d count=… …   opens connections; answers when each has its head (or has failed)
//   start napUs=0                           begins to count anew; the order of events is checked across it
//   settle expected=… timeoutMs=…           answers the counts once so many events have come, or the time is over
//   reach timeoutMs=…                       answers once every connection of the last wave has got its goal
//   close                                   resets all connections
//
// Of `open`: `first` is the first number for the %d; `next` the number of the first event that each must get (0: any);
// `shared` the number of a topic that all of the last wave read beside their own, with a sequence of its own; `goal` the event that `reach` waits for; `id` a Last-Event-ID; `concurrency` how many wait for their heads at a time;
// `reads=0` never reads, with a receive buffer of `buffer` bytes and segments of `segment`; `measured=0` leaves latencies
// out; `once=1` reads one whole response and closes.
//
// Of `start`: with `napUs` it looks for events that often until `settle` is answered, instead of being woken for each. The
// server pays for that waking, which on an idle virtual core is many times what a send() costs, wherever events come one by
// one. Latencies are then only as fine as the nap.
#include "clients.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

static enum { IDLE, OPENING, SETTLING, REACHING } job;
static int64_t expected, give_up_at_ns, settled_at_ns;
/// How long it looks for events that should not come, after the last that should.
static const int64_t LINGER_NS = 20000000;
/// How long it sleeps without being woken when nothing has come, from `start` to the end of `settle`; 0: until it is.
static unsigned nap_us;

static double ms(int64_t ns) { return (double)ns / 1e6; }

static void finish(void) {
  printf("}\n");
  fflush(stdout);
  job = IDLE;
}

static void answer_open(void) {
  printf("{\"opened\":%d,\"failed\":%d,\"tookMs\":%.2f,", wave.opened, wave.failed, ms(wave.finished_at_ns - wave.started_at_ns));
  histogram_print(&wave.head, "headP");
  finish();
}

static void answer_counts(void) {
  nap_us = 0;
  // What never came, at the end of a connection's sequence, shows only in the sum.
  int64_t missing = expected - counts.received + counts.repeated + counts.misordered;
  printf("{\"received\":%ld,\"expected\":%ld,\"lost\":%ld,\"gaps\":%ld,\"repeated\":%ld,\"misordered\":%ld,\"strays\":%ld,\"broken\":%ld,"
         "\"closed\":%ld,\"open\":%d,\"spanMs\":%.3f,",
         counts.received, expected, missing > 0 ? missing : 0, counts.lost, counts.repeated, counts.misordered, counts.strays,
         counts.broken, counts.closed, open_clients, ms(counts.last_at_ns - counts.first_at_ns));
  histogram_print(&counts.latency, "p");
  finish();
}

static void answer_reach(void) {
  printf("{\"reached\":%d,\"wanted\":%d,\"tookMs\":%.2f,", wave.reached, wave.wanted, ms(wave.reached_at_ns - wave.started_at_ns));
  histogram_print(&wave.reach, "reachP");
  finish();
}

static void begin_open(const char *line) {
  memset(&wave, 0, sizeof wave);
  wave.port = (int)number_of(line, "port", 0);
  wave.wanted = (int)number_of(line, "count", 1);
  wave.first_index = (int)number_of(line, "first", 0);
  wave.concurrency = (int)number_of(line, "concurrency", 64);
  wave.buffer_bytes = (int)number_of(line, "buffer", 0);
  wave.segment_bytes = (int)number_of(line, "segment", 0);
  wave.next = (int64_t)number_of(line, "next", 0);
  wave.goal = (int64_t)number_of(line, "goal", 0);
  wave.shared = (int64_t)number_of(line, "shared", -1);
  wave.reads = number_of(line, "reads", 1) != 0;
  wave.measured = number_of(line, "measured", 1) != 0;
  wave.once = number_of(line, "once", 0) != 0;
  text_of(line, "path", wave.path, sizeof wave.path, "/");
  text_of(line, "id", wave.id, sizeof wave.id, "");
  wave.started_at_ns = now_ns();
  job = OPENING;
}

static void obey(const char *line) {
  expected = (int64_t)number_of(line, "expected", 0);
  give_up_at_ns = now_ns() + (int64_t)(number_of(line, "timeoutMs", 10000) * 1e6);
  if (is_command(line, "open")) begin_open(line);
  else if (is_command(line, "settle")) job = SETTLING, settled_at_ns = 0;
  else if (is_command(line, "reach")) job = REACHING;
  else {
    int is_known = is_command(line, "start") || is_command(line, "close");
    if (is_command(line, "start")) {
      memset(&counts, 0, sizeof counts);
      nap_us = (unsigned)number_of(line, "napUs", 0);
    }
    if (is_command(line, "close")) clients_close_all();
    printf(is_known ? "{\"ok\":true" : "{\"error\":\"unknown command\"");
    finish();
  }
}

static void continue_job(void) {
  int is_late = now_ns() > give_up_at_ns;
  if (job == OPENING) {
    clients_open_more();
    if (wave.opened + wave.failed == wave.wanted || is_late) {
      wave.failed += wave.waiting + wave.wanted - wave.started;
      answer_open();
    }
  } else if (job == SETTLING) {
    if (settled_at_ns == 0 && counts.received >= expected) settled_at_ns = now_ns();
    if (is_late || (settled_at_ns != 0 && now_ns() > settled_at_ns + LINGER_NS)) answer_counts();
  }
  if (job == REACHING && (wave.reached >= wave.wanted || is_late)) answer_reach();
}

/// Obeys the whole lines that have come, as long as each is done at once.
static void read_commands(int can_read) {
  static char text[MAX_LINE];
  static size_t length;
  if (can_read) {
    ssize_t count = read(0, text + length, sizeof text - 1 - length);
    if (count == 0) exit(0);
    if (count > 0) length += (size_t)count;
  }
  text[length] = 0;
  for (char *end; job == IDLE && (end = strchr(text, '\n')) != NULL;) {
    *end = 0;
    obey(text);
    length -= (size_t)(end + 1 - text);
    memmove(text, end + 1, length + 1);
  }
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  int epoll = epoll_create1(0);
  struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL}, ready[512];
  if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &input) < 0) die("epoll");
  fcntl(0, F_SETFL, O_NONBLOCK);
  clients_start(epoll);
  printf("{\"ready\":true");
  finish();
  for (;;) {
    int count = epoll_wait(epoll, ready, 512, nap_us > 0 ? 0 : job == IDLE ? -1 : 10), can_read = 0;
    if (count == 0 && nap_us > 0) usleep(nap_us);
    for (int i = 0; i < count; i++) {
      if (ready[i].data.ptr == NULL) can_read = 1;
      else clients_on_event(ready[i].data.ptr, ready[i].events);
    }
    if (can_read) read_commands(1);
    if (job != IDLE) continue_job();
    if (job == IDLE) read_commands(0);
  }
}
