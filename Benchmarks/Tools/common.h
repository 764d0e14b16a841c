// What the programs of the benchmarks share: failing, time, sockets on the loopback.
#pragma once

#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static inline int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

// The processor time of this process; its children's is not in it.
static inline int64_t cpu_us(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000
        + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

// A count from the command line: 1 or more.
static inline int64_t parse_count(const char *text) {
    char *end;
    long long value = strtoll(text, &end, 10);
    if (*text == 0 || *end != 0 || value < 1) errx(2, "'%s' is not a count of 1 or more", text);
    return value;
}

static inline void set_no_delay(int fd) {
    int on = 1;
    // A Unix socket has no such thing, and needs none.
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// Listens on a free port of the loopback, and says which.
static inline int listen_on_loopback(int backlog) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, backlog) < 0
        || getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        err(1, "listening");
    printf("listening on tcp:127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

// Connects to unix:PATH or tcp:127.0.0.1:PORT.
static inline int connect_to(const char *address) {
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in internet = {.sin_family = AF_INET};
    struct sockaddr *to = (struct sockaddr *)&local;
    socklen_t size = sizeof local;
    if (strncmp(address, "unix:", 5) == 0) {
        if (strlen(address + 5) >= sizeof local.sun_path) errx(2, "%s is too long", address);
        strcpy(local.sun_path, address + 5);
    } else if (strncmp(address, "tcp:127.0.0.1:", 14) == 0) {
        internet.sin_port = htons((uint16_t)parse_count(address + 14));
        internet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        to = (struct sockaddr *)&internet;
        size = sizeof internet;
    } else {
        errx(2, "'%s' is neither unix:PATH nor tcp:127.0.0.1:PORT", address);
    }
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, to, size) < 0) err(1, "connecting to %s", address);
    set_no_delay(fd);
    return fd;
}

static inline void write_all(int fd, const void *bytes, size_t count) {
    for (const char *at = bytes; count > 0;) {
        ssize_t written = write(fd, at, count);
        if (written < 0) err(1, "writing");
        at += written;
        count -= (size_t)written;
    }
}
