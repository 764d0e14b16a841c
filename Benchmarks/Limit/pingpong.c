// The limit of calls: sends back what comes on one TCP connection, found readable by epoll.
//
//   pingpong
//
// Prints where it listens, and when the client has gone its processor time.
#include "../Tools/common.h"

#include <sys/epoll.h>

int main(int count, char **words) {
    static char bytes[64 << 10];
    (void)words;
    if (count != 1) errx(2, "usage: pingpong");
    int fd = accept(listen_on_loopback(1), NULL, NULL);
    if (fd < 0) err(1, "accepting");
    set_no_delay(fd);
    int poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0) err(1, "epoll");
    for (;;) {
        if (epoll_wait(poll, &event, 1, -1) < 0) err(1, "epoll");
        ssize_t got = read(fd, bytes, sizeof bytes);
        if (got < 0) err(1, "reading");
        if (got == 0) break;
        write_all(fd, bytes, (size_t)got);
    }
    printf("{\"cpu_us\": %lld}\n", (long long)cpu_us());
}
