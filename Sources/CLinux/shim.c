#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ANSWER(call)                    \
    do {                                \
        __typeof__(call) answer = call; \
        return answer < 0 ? -errno : answer; \
    } while (0)

const char *el_errno_name(int number) { return strerrorname_np(number); }
const char *el_errno_text(int number) { return strerrordesc_np(number); }

int el_pipe(int ends[2]) { ANSWER(pipe2(ends, O_CLOEXEC)); }

int el_open(const char *path, int flags, mode_t permissions) {
    ANSWER(open(path, flags | O_CLOEXEC, permissions));
}

int el_openat(int directory, const char *path, int flags, mode_t permissions) {
    ANSWER(openat(directory, path, flags | O_CLOEXEC, permissions));
}

const int el_only_find = O_PATH;

int el_duplicate(int fd, int minimum) { ANSWER(fcntl(fd, F_DUPFD_CLOEXEC, minimum)); }

int el_set_nonblocking(int fd, bool on) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) return -errno;
    int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (wanted == flags) return 0;
    ANSWER(fcntl(fd, F_SETFL, wanted));
}

int el_punch_hole(int fd, uint64_t offset, uint64_t length) {
    ANSWER(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length));
}

static _Thread_local bool sigpipe_is_blocked;

void el_block_sigpipe(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) == 0) sigpipe_is_blocked = true;
}

// A thread that isn't ours keeps its mask: SIGPIPE is blocked around the call, and the one that the
// call itself raised is taken back before the mask returns to what it was.
static ssize_t quiet_write(int fd, const void *bytes, size_t count) {
    sigset_t pipe_only, before, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    int was_pending = sigismember(&pending, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    ssize_t written = write(fd, bytes, count);
    int error = errno;
    if (written < 0 && error == EPIPE && !was_pending) {
        struct timespec at_once = {0};
        while (sigtimedwait(&pipe_only, NULL, &at_once) < 0 && errno == EINTR) {}
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return written < 0 ? -error : written;
}

ssize_t el_write(int fd, const void *bytes, size_t count) {
    if (!sigpipe_is_blocked) return quiet_write(fd, bytes, count);
    ANSWER(write(fd, bytes, count));
}

ssize_t el_splice_to_file(int pipe, int file, uint64_t offset, size_t count) {
    off64_t position = (off64_t)offset;
    ANSWER(splice(pipe, NULL, file, &position, count, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
}

int el_undelivered_bytes(int socket) {
    int protocol = 0, count = 0;
    socklen_t length = sizeof protocol;
    if (getsockopt(socket, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) < 0) return 0;
    if (protocol != IPPROTO_TCP || ioctl(socket, SIOCOUTQ, &count) < 0) return 0;
    return count;
}

int el_bytes_waiting(int fd) {
    int count = 0;
    return ioctl(fd, FIONREAD, &count) < 0 ? -errno : count;
}

int el_set_pipe_capacity(int fd, int bytes) { ANSWER(fcntl(fd, F_SETPIPE_SZ, bytes)); }

int el_random(void *bytes, size_t count) {
    size_t filled = 0;
    while (filled < count) {
        ssize_t got = getrandom((char *)bytes + filled, count - filled, 0);
        if (got < 0 && errno != EINTR) return -errno;
        if (got > 0) filled += (size_t)got;
    }
    return 0;
}

int el_epoll_create(void) { ANSWER(epoll_create1(EPOLL_CLOEXEC)); }

int el_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t data) {
    struct epoll_event event = {.events = events, .data.u64 = data};
    ANSWER(epoll_ctl(epoll, operation, fd, &event));
}

static int wait_in_milliseconds(int epoll, struct epoll_event *events, int count, int64_t ns) {
    int64_t ms = ns < 0 ? -1 : ns / 1000000 + (ns % 1000000 != 0);
    ANSWER(epoll_wait(epoll, events, count, ms > INT_MAX ? INT_MAX : (int)ms));
}

int el_epoll_wait(int epoll, struct epoll_event *events, int count, int64_t timeout_ns) {
    // The whole milliseconds that nearly every wait asks for (0, for ever) need no newer call.
    if (timeout_ns <= 0) return wait_in_milliseconds(epoll, events, count, timeout_ns);
    struct timespec timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    int answer = epoll_pwait2(epoll, events, count, &timeout, NULL);
    if (answer >= 0) return answer;
    if (errno != ENOSYS && errno != EPERM) return -errno;
    return wait_in_milliseconds(epoll, events, count, timeout_ns);
}

int el_eventfd(void) { ANSWER(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

int el_eventfd_ring(int fd) { ANSWER(eventfd_write(fd, 1)); }

int el_signalfd(const sigset_t *signals) {
    ANSWER(signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

int el_signalfd_read(int fd) {
    struct signalfd_siginfo info;
    ssize_t count = read(fd, &info, sizeof info);
    if (count < 0) return -errno;
    return count == sizeof info ? (int)info.ssi_signo : -EIO;
}

void el_asynchronous_signals(sigset_t *signals) {
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigfillset(signals);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(signals, faults[i]);
}

void el_name_thread(const char *name) {
    char cut[16];
    strncpy(cut, name, sizeof cut - 1);
    cut[sizeof cut - 1] = 0;
    pthread_setname_np(pthread_self(), cut);
}

int el_socket(int family) {
    ANSWER(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

int el_socket_pair(int ends[2]) {
    ANSWER(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends));
}

int el_accept(int listener) {
    ANSWER(accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

int el_peer_credentials(int fd, struct el_peer *peer) {
    struct ucred credentials;
    socklen_t size = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) return -errno;
    *peer = (struct el_peer){credentials.pid, credentials.uid, credentials.gid};
    return 0;
}

int64_t el_raise_open_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    struct rlimit wanted = {limit.rlim_max, limit.rlim_max};
    if (limit.rlim_cur < limit.rlim_max && setrlimit(RLIMIT_NOFILE, &wanted) == 0) limit = wanted;
    return limit.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur;
}
