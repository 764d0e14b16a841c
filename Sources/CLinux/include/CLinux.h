// What Swift's Glibc module cannot show: Linux calls behind _GNU_SOURCE, variadic ones, and the few
// that must be C (the child side of a spawn, unions, thread-local state). No policy lives here.
//
// Unless said otherwise a function answers its result, or `-errno`. None retries EINTR; the one
// wrapper in Kernel (SystemCall.swift) does that for all of them.
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "spawn.h"

// MARK: Errors

/// "ENOENT"; NULL where the number is no errno.
const char *el_errno_name(int number);
/// "No such file or directory", never translated; NULL where the number is no errno.
const char *el_errno_text(int number);

// MARK: Descriptors

/// A pipe whose ends are both close-on-exec.
int el_pipe(int ends[2]);
int el_open(const char *path, int flags, mode_t permissions);
int el_openat(int directory, const char *path, int flags, mode_t permissions);
/// O_PATH: only finds the file, which is neither read nor waited for.
extern const int el_only_find;
/// A copy, close-on-exec, numbered `minimum` or above.
int el_duplicate(int fd, int minimum);
int el_set_nonblocking(int fd, bool on);
/// As write(2), but a broken pipe is EPIPE only: no SIGPIPE reaches the thread.
ssize_t el_write(int fd, const void *bytes, size_t count);
/// Blocks SIGPIPE in the calling thread for good, which makes el_write cheaper.
void el_block_sigpipe(void);
/// As splice(2) from a pipe to a file at `offset`, without waiting.
ssize_t el_splice_to_file(int pipe, int file, uint64_t offset, size_t count);
/// Gives back to the disk what `length` bytes from `offset` on take; they read as zeros, and the file
/// keeps its size. EOPNOTSUPP where the file system can't.
int el_punch_hole(int fd, uint64_t offset, uint64_t length);
/// How many bytes a TCP socket has sent that the other machine has not confirmed; 0 for other sockets.
int el_undelivered_bytes(int socket);
/// How many bytes can be read now, of a pipe or a terminal.
int el_bytes_waiting(int fd);
/// How many bytes a pipe holds before its writer waits. EPERM: more than its user may have.
int el_set_pipe_capacity(int fd, int bytes);
/// Fills all of `bytes`, or fails.
int el_random(void *bytes, size_t count);

// MARK: Terminals

/// A new terminal: its master, and the inner side for a program. Both are close-on-exec.
int el_open_terminal(int *master, int *inner);
/// The number N of the terminal /dev/pts/N whose master `fd` is.
int el_terminal_number(int fd);
int el_set_window_size(int fd, uint16_t rows, uint16_t columns);
int el_window_size(int fd, uint16_t *rows, uint16_t *columns);

// MARK: Events

int el_epoll_create(void);
int el_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t data);
/// Waits for at most `timeout_ns`, for ever where that is negative. Never wakes early by rounding.
int el_epoll_wait(int epoll, struct epoll_event *events, int count, int64_t timeout_ns);
/// An event counter: close-on-exec, non-blocking.
int el_eventfd(void);
int el_eventfd_ring(int fd);
/// A descriptor to read `signals` from: close-on-exec, non-blocking.
int el_signalfd(const sigset_t *signals);
/// The number of the next signal on a signalfd; 0 never.
int el_signalfd_read(int fd);
/// Every signal but those that the thread's own faults raise.
void el_asynchronous_signals(sigset_t *signals);
/// Names the calling thread; cut after 15 bytes.
void el_name_thread(const char *name);

// MARK: Sockets

struct el_peer {
    int32_t pid;
    uint32_t uid;
    uint32_t gid;
};

/// A stream socket: close-on-exec, non-blocking.
int el_socket(int family);
int el_socket_pair(int ends[2]);
int el_accept(int listener);
int el_peer_credentials(int fd, struct el_peer *peer);

// MARK: Processes

struct el_end {
    /// Whether it has ended and was collected.
    bool ended;
    bool core_dumped;
    /// The exit status; meaningless where `signal` isn't 0.
    int32_t code;
    /// The signal that killed it, or 0.
    int32_t signal;
    uint64_t user_us;
    uint64_t system_us;
    uint64_t max_rss_bytes;
};

/// Collects the process if it has ended, without waiting.
int el_collect(int pidfd, struct el_end *end);
/// How a process ended that somebody else has collected (PIDFD_GET_INFO, Linux 6.15).
int el_end_after_collection(int pidfd, struct el_end *end);
/// A descriptor for the process of that number: close-on-exec.
int el_open_process(pid_t pid);
/// Sends to the one process.
int el_signal_process(int pidfd, int signal);
/// Sends to the process group that the process leads or led.
int el_signal_group(int pidfd, pid_t pid, int signal);
/// The number of a child that has ended and is not collected, without collecting it; 0: none has.
int el_peek_ended_child(void);
/// Collects the child of that number if it has ended; 0: it hasn't.
int el_collect_child(pid_t pid);
/// Orphans of this process's descendants become its children.
int el_become_subreaper(void);
/// Makes the allocator return large blocks to the system when they are freed.
void el_return_freed_memory(void);
/// Raises the soft limit of open descriptors to the hard one; answers the soft limit then in force.
int64_t el_raise_open_files(void);
