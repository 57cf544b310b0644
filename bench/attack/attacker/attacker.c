// Attacks a port of the loopback as cheaply as it can: sends prepared bytes, notes how the connection ended, does it again.
//
// usage: attacker PORT FIRST REPEAT SECONDS CONNECTIONS HELD MODE
//   FIRST, REPEAT  files: what is sent once, and what is sent again and again behind it (may be empty)
//   CONNECTIONS    at most so many, one after the other; 0: as many as the time allows
//   HELD           so many at once, each sending REPEAT once a second; 0: one after the other
//   MODE           read, deaf: never reads, or leave: closes as soon as it has sent
// Says: connections, bytes, microseconds of CPU, and how the last connection ended.

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct bytes { char *data; size_t size; };

// What came back: the status line of HTTP/1, or the code of a GOAWAY frame, found by walking the frames.
struct answer { unsigned char head[17]; size_t in_head; size_t skip; long total; int goaway; int status; };

static double seconds_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static long cpu_us(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000L + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static struct bytes read_file(const char *path) {
  FILE *f = fopen(path, "rb");
  if (f == NULL) { perror(path); exit(2); }
  fseek(f, 0, SEEK_END);
  struct bytes b = { NULL, ftell(f) };
  rewind(f);
  b.data = malloc(b.size + 1);
  if (fread(b.data, 1, b.size, f) != b.size) exit(2);
  fclose(f);
  return b;
}

static int open_connection(int port) {
  struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) { close(fd); return -1; }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

static void walk(struct answer *a, const unsigned char *p, size_t n) {
  if (a->total == 0 && n >= 12 && memcmp(p, "HTTP/1.", 7) == 0) a->status = atoi((const char *)p + 9);
  a->total += n;
  if (a->status != 0) return;
  for (size_t i = 0; i < n; i++) {
    if (a->skip > 0) {
      size_t step = n - i < a->skip ? n - i : a->skip;
      a->skip -= step;
      i += step - 1;
      continue;
    }
    a->head[a->in_head++] = p[i];
    size_t length = (a->head[0] << 16) | (a->head[1] << 8) | a->head[2];
    size_t wanted = a->in_head >= 9 && a->head[3] == 7 && length >= 8 ? 17 : 9;
    if (a->in_head < wanted) continue;
    if (wanted == 17) a->goaway = (a->head[13] << 24) | (a->head[14] << 16) | (a->head[15] << 8) | a->head[16];
    a->skip = length - (wanted - 9);
    a->in_head = 0;
  }
}

// One connection until the other side ends it, the time is up, or everything was sent and nothing comes any more. 0 when it was ended.
static int attack(int fd, struct bytes first, struct bytes again, double until, int reads, int leaves, long *sent, struct answer *a) {
  static unsigned char in[65536];
  size_t at = 0;
  int in_first = first.size > 0, writes = 1;
  double quiet_since = seconds_now();
  for (;;) {
    struct bytes b = in_first ? first : again;
    if (writes && b.size > 0) {
      ssize_t n = send(fd, b.data + at, b.size - at, MSG_NOSIGNAL);
      if (n > 0) {
        *sent += n;
        at += n;
        quiet_since = seconds_now();
        if (at == b.size) { at = 0; in_first = 0; }
      } else if (n < 0 && errno != EAGAIN) writes = 0;
    } else writes = 0;
    if (!writes && leaves) return 1;
    double now = seconds_now();
    if (now > until) return 1;
    if (!writes && now - quiet_since > 2) return 1;
    struct pollfd p = { fd, (reads ? POLLIN : 0) | (writes ? POLLOUT : 0), 0 };
    poll(&p, 1, 50);
    if (reads && (p.revents & (POLLIN | POLLHUP | POLLERR))) {
      ssize_t n = recv(fd, in, sizeof in, 0);
      if (n == 0 || (n < 0 && errno != EAGAIN)) return 0;
      if (n > 0) { walk(a, in, n); quiet_since = seconds_now(); }
    } else if (p.revents & (POLLHUP | POLLERR)) return 0;
  }
}

// Many connections at once, each kept alive by a few bytes a second.
static long hold(int port, int held, struct bytes first, struct bytes again, double until, long *sent, struct answer *a, int *open) {
  int *fds = malloc(held * sizeof *fds);
  unsigned char in[65536];
  long made = 0;
  for (int i = 0; i < held; i++) {
    fds[i] = open_connection(port);
    if (fds[i] < 0) continue;
    made++;
    if (first.size > 0 && send(fds[i], first.data, first.size, MSG_NOSIGNAL) > 0) *sent += first.size;
  }
  while (seconds_now() < until) {
    *open = 0;
    for (int i = 0; i < held; i++) {
      if (fds[i] < 0) continue;
      ssize_t n = recv(fds[i], in, sizeof in, 0);
      if (n > 0) walk(a, in, n);
      if (n == 0 || (n < 0 && errno != EAGAIN)) { close(fds[i]); fds[i] = -1; continue; }
      (*open)++;
      if (again.size > 0 && send(fds[i], again.data, again.size, MSG_NOSIGNAL) > 0) *sent += again.size;
    }
    usleep(1000000);
  }
  return made;
}

int main(int argc, char **argv) {
  if (argc != 8) { fprintf(stderr, "usage: attacker PORT FIRST REPEAT SECONDS CONNECTIONS HELD MODE\n"); return 2; }
  int port = atoi(argv[1]), limit = atoi(argv[5]), held = atoi(argv[6]), reads = strcmp(argv[7], "read") == 0, leaves = strcmp(argv[7], "leave") == 0, open = 0;
  struct bytes first = read_file(argv[2]), again = read_file(argv[3]);
  struct answer a = { .goaway = -1 };
  long made = 0, sent = 0, before = cpu_us();
  double until = seconds_now() + atof(argv[4]);
  if (held > 0) made = hold(port, held, first, again, until, &sent, &a, &open);
  else while (seconds_now() < until && (limit == 0 || made < limit)) {
    struct answer fresh = { .goaway = -1 };
    int fd = open_connection(port);
    if (fd < 0) break;
    made++;
    open = attack(fd, first, again, until, reads, leaves, &sent, &fresh);
    close(fd);
    a = fresh;
  }
  printf("{\"connections\":%ld,\"sent\":%ld,\"cpuUs\":%ld,\"goaway\":%d,\"status\":%d,\"open\":%d}\n", made, sent, cpu_us() - before, a.goaway, a.status, open);
  return 0;
}
