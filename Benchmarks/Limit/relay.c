// The limit of throughput, latency and fan-out: takes a command's output from its pipe to a log file
// and to TCP viewers, in frames as the server sends them, with blocking calls and nothing else. It
// has no index, no slow viewers, nobody who comes late.
//
//   relay VIEWERS LOG COMMAND [ARG]...
//
// Prints where it listens; starts once all viewers are there; prints its own processor time.
#include "../Tools/ttrpc.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/uio.h>
#include <sys/wait.h>

enum { CHUNK_BYTES = 64 << 10, STREAM = 3, FIELDS_BYTES_MAX = 64 };

extern char **environ;

static uint64_t sequence, offset;

static pid_t spawn(char **words, int *output) {
    posix_spawn_file_actions_t actions;
    int ends[2], failure;
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) < 0) err(1, "pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    if ((failure = posix_spawnp(&pid, words[0], &actions, NULL, words, environ)) != 0)
        errx(1, "%s: %s", words[0], strerror(failure));
    close(ends[1]);
    *output = ends[0];
    return pid;
}

static uint64_t unix_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

// The frame's header, and the fields before the payload: as the server's, byte for byte.
static size_t put_output_header(uint8_t *frame, size_t payload) {
    uint8_t fields[FIELDS_BYTES_MAX], *at = fields;
    *at++ = 1 << 3;
    at = put_varint(at, ++sequence);
    *at++ = 2 << 3;
    at = put_varint(at, offset);
    *at++ = 3 << 3;
    at = put_varint(at, unix_ns());
    *at++ = 14 << 3 | 2;
    at = put_varint(at, payload);
    size_t count = (size_t)(at - fields);
    at = frame + HEADER_BYTES;
    *at++ = OUTPUT << 3 | 2;
    at = put_varint(at, count + payload);
    memcpy(at, fields, count);
    at += count;
    size_t header = (size_t)(at - frame);
    put_header(frame, (uint32_t)(header - HEADER_BYTES + payload), STREAM, DATA, 0);
    return header;
}

static void send_frame(int fd, uint8_t *header, size_t header_count, char *bytes, size_t count) {
    struct iovec parts[2] = {{header, header_count}, {bytes, count}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    // A blocking send takes all, but for a signal, of which none is handled here.
    if (sendmsg(fd, &message, MSG_NOSIGNAL) != (ssize_t)(header_count + count)) err(1, "sending");
}

int main(int count, char **words) {
    if (count < 4) errx(2, "usage: relay VIEWERS LOG COMMAND [ARG]...");
    int viewers = (int)parse_count(words[1]), output, status;
    int log = open(words[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (log < 0) err(1, "%s", words[2]);
    int listener = listen_on_loopback(viewers);
    int fds[viewers];
    for (int i = 0; i < viewers; i++) {
        if ((fds[i] = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0) err(1, "accepting");
        set_no_delay(fds[i]);
    }
    pid_t pid = spawn(words + 3, &output);

    static char chunk[CHUNK_BYTES];
    uint8_t header[FIELDS_BYTES_MAX + HEADER_BYTES + 16];
    for (ssize_t got; (got = read(output, chunk, sizeof chunk)) != 0;) {
        if (got < 0) err(1, "reading");
        write_all(log, chunk, (size_t)got);
        size_t header_count = put_output_header(header, (size_t)got);
        for (int i = 0; i < viewers; i++)
            send_frame(fds[i], header, header_count, chunk, (size_t)got);
        offset += (uint64_t)got;
    }
    put_header(header, 0, STREAM, DATA, END);
    for (int i = 0; i < viewers; i++) write_all(fds[i], header, HEADER_BYTES);
    if (waitpid(pid, &status, 0) < 0 || status != 0) errx(1, "the command failed");
    printf("{\"cpu_us\": %lld}\n", (long long)cpu_us());
}
