// The server behind every proxy that is measured: HTTP/1.1 and cleartext HTTP/2 on one port, one thread, 1 KiB per answer.
// It does as little as a server can, so that its core is never the limit: HTTP/2 requests are not decoded, only counted, because
// the answer depends on nothing but whether the request has a body (then it is gRPC).
//
// cc -O2 -o backend backend.c && ./backend PORT

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BODY = 1024, IN_SIZE = 1 << 16, OUT_START = 1 << 14, WAITING = 4096 };
enum { F_DATA = 0, F_HEADERS = 1, F_SETTINGS = 4, F_PING = 6, F_GOAWAY = 7, F_WINDOW = 8 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };
enum { UNKNOWN, HTTP1, HTTP2 };

typedef struct {
  int fd, protocol, blocked;
  size_t in_length, out_length, out_sent, out_size;
  int64_t window;           // HTTP/2: bytes of DATA the peer still takes
  uint32_t unacknowledged;  // HTTP/2: bytes of DATA not yet given back
  uint32_t waiting[WAITING];  // HTTP/2: streams to answer once the window opens; the top bit marks gRPC
  int waiting_count;
  uint8_t in[IN_SIZE], *out;
} Connection;

static int poller;
static char http1_answer[BODY + 256];
static size_t http1_length;
static uint8_t body[BODY];

static void die(const char *what) {
  perror(what);
  exit(1);
}

static uint8_t *room(Connection *c, size_t length) {
  if (c->out_length + length > c->out_size) {
    while (c->out_length + length > c->out_size) c->out_size *= 2;
    c->out = realloc(c->out, c->out_size);
    if (!c->out) die("realloc");
  }
  uint8_t *at = c->out + c->out_length;
  c->out_length += length;
  return at;
}

static void put(Connection *c, const void *bytes, size_t length) { memcpy(room(c, length), bytes, length); }

static void put_frame(Connection *c, int type, int flags, uint32_t stream, const void *payload, uint32_t length) {
  uint8_t *at = room(c, 9 + length);
  at[0] = length >> 16, at[1] = length >> 8, at[2] = length, at[3] = type, at[4] = flags;
  at[5] = stream >> 24, at[6] = stream >> 16, at[7] = stream >> 8, at[8] = stream;
  if (length) memcpy(at + 9, payload, length);
}

static uint32_t read32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

// HPACK without the dynamic table: 0x88 is `:status 200`; 0x0f 0x0d names entry 28 (content-length), 0x0f 0x10 entry 31
// (content-type), each as a literal that is not indexed.
static const uint8_t plain_headers[] = "\x88\x0f\x0d\x04" "1024" "\x0f\x10\x0atext/plain";
static const uint8_t grpc_headers[] = "\x88\x0f\x10\x10" "application/grpc";
static const uint8_t grpc_trailers[] = "\x00\x0bgrpc-status\x01" "0";

static void answer_http2(Connection *c, uint32_t stream, int is_grpc) {
  if (c->window < BODY) {
    if (c->waiting_count < WAITING) c->waiting[c->waiting_count++] = stream | (is_grpc ? 1u << 31 : 0);
    return;
  }
  c->window -= BODY;
  if (!is_grpc) {
    put_frame(c, F_HEADERS, END_HEADERS, stream, plain_headers, sizeof plain_headers - 1);
    put_frame(c, F_DATA, END_STREAM, stream, body, BODY);
    return;
  }
  // One message: not compressed, its length in four bytes.
  static uint8_t message[BODY];
  message[3] = (BODY - 5) >> 8, message[4] = (BODY - 5) & 255;
  put_frame(c, F_HEADERS, END_HEADERS, stream, grpc_headers, sizeof grpc_headers - 1);
  put_frame(c, F_DATA, 0, stream, message, BODY);
  put_frame(c, F_HEADERS, END_HEADERS | END_STREAM, stream, grpc_trailers, sizeof grpc_trailers - 1);
}

static void open_window(Connection *c, uint32_t increment) {
  c->window += increment;
  int count = c->waiting_count, done = 0;
  c->waiting_count = 0;
  while (done < count && c->window >= BODY) {
    answer_http2(c, c->waiting[done] & 0x7fffffff, c->waiting[done] >> 31);
    done++;
  }
  memmove(c->waiting, c->waiting + done, (count - done) * sizeof c->waiting[0]);
  c->waiting_count = count - done;
}

static int on_frame(Connection *c, int type, int flags, uint32_t stream, const uint8_t *payload, uint32_t length) {
  switch (type) {
    case F_HEADERS:
      if (flags & END_STREAM) answer_http2(c, stream, 0);
      return 0;
    case F_DATA:
      c->unacknowledged += length;
      if (c->unacknowledged >= 16384) {
        uint32_t increment = htonl(c->unacknowledged);
        put_frame(c, F_WINDOW, 0, 0, &increment, 4);
        c->unacknowledged = 0;
      }
      if (flags & END_STREAM) answer_http2(c, stream, 1);
      return 0;
    case F_SETTINGS:
      if (!(flags & ACK)) put_frame(c, F_SETTINGS, ACK, 0, NULL, 0);
      return 0;
    case F_PING:
      if (!(flags & ACK)) put_frame(c, F_PING, ACK, 0, payload, length);
      return 0;
    case F_WINDOW:
      if (stream == 0) open_window(c, read32(payload) & 0x7fffffff);
      return 0;
    case F_GOAWAY:
      return -1;
    default:
      return 0;
  }
}

// Returns how many bytes were read, or -1 to close.
static ssize_t read_http2(Connection *c) {
  size_t at = 0;
  while (c->in_length - at >= 9) {
    const uint8_t *head = c->in + at;
    uint32_t length = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
    if (length > IN_SIZE - 9) return -1;
    if (c->in_length - at < 9 + length) break;
    if (on_frame(c, head[3], head[4], read32(head + 5) & 0x7fffffff, head + 9, length) < 0) return -1;
    at += 9 + length;
  }
  return at;
}

static ssize_t read_http1(Connection *c) {
  size_t at = 0;
  for (;;) {
    uint8_t *end = memmem(c->in + at, c->in_length - at, "\r\n\r\n", 4);
    if (!end) return at;
    put(c, http1_answer, http1_length);
    at = end + 4 - c->in;
  }
}

static ssize_t read_messages(Connection *c) {
  static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  if (c->protocol == UNKNOWN) {
    size_t length = sizeof preface - 1;
    size_t seen = c->in_length < length ? c->in_length : length;
    if (memcmp(c->in, preface, seen) != 0) {
      c->protocol = HTTP1;
    } else if (seen == length) {
      // MAX_CONCURRENT_STREAMS, so that a proxy opens as many as the load asks for.
      static const uint8_t settings[] = {0, 3, 0, 0, WAITING >> 8, WAITING & 255};
      c->protocol = HTTP2;
      put_frame(c, F_SETTINGS, 0, 0, settings, sizeof settings);
      memmove(c->in, c->in + length, c->in_length -= length);
    } else {
      return 0;
    }
  }
  return c->protocol == HTTP1 ? read_http1(c) : read_http2(c);
}

static void close_connection(Connection *c) {
  close(c->fd);
  free(c->out);
  free(c);
}

static void watch(Connection *c, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (epoll_ctl(poller, operation, c->fd, &event) < 0) die("epoll_ctl");
}

static int flush(Connection *c) {
  while (c->out_sent < c->out_length) {
    ssize_t sent = write(c->fd, c->out + c->out_sent, c->out_length - c->out_sent);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) return -1;
    if (sent < 0) {
      if (!c->blocked) watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
      c->blocked = 1;
      return 0;
    }
    c->out_sent += sent;
  }
  c->out_sent = c->out_length = 0;
  if (c->blocked) watch(c, EPOLL_CTL_MOD, EPOLLIN);
  c->blocked = 0;
  return 0;
}

static int on_readable(Connection *c) {
  ssize_t got = read(c->fd, c->in + c->in_length, IN_SIZE - c->in_length);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
  if (got == 0) return -1;
  c->in_length += got;
  ssize_t used = read_messages(c);
  if (used < 0) return -1;
  memmove(c->in, c->in + used, c->in_length -= used);
  return c->in_length == IN_SIZE ? -1 : 0;
}

static void accept_all(int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) return;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Connection *c = calloc(1, sizeof *c);
    if (!c || !(c->out = malloc(c->out_size = OUT_START))) die("malloc");
    c->fd = fd;
    c->window = 65535;
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
  }
}

static int open_listener(int port) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (listener < 0) die("socket");
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
  if (listen(listener, 1024) < 0) die("listen");
  return listener;
}

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "usage: backend PORT\n"), 2;
  signal(SIGPIPE, SIG_IGN);
  memset(body, 'x', BODY);
  http1_length = sprintf(http1_answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n", BODY);
  memcpy(http1_answer + http1_length, body, BODY);
  http1_length += BODY;
  int listener = open_listener(atoi(argv[1]));
  poller = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[256];
  if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) < 0) die("epoll");
  for (;;) {
    int count = epoll_wait(poller, events, 256, -1);
    for (int i = 0; i < count; i++) {
      Connection *c = events[i].data.ptr;
      if (!c) {
        accept_all(listener);
        continue;
      }
      int failed = events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? on_readable(c) : 0;
      if (failed || flush(c) < 0) close_connection(c);
    }
  }
}
