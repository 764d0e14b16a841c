// The caller of the benchmarks: makes calls on one connection, so many at once, and says how long
// all of them took.
//
//   caller ADDRESS TOKEN exec COUNT AT_ONCE CONTAINER PROGRAM   from Start to the stream's end
//   caller ADDRESS TOKEN wait COUNT AT_ONCE KEY                 ExecWait
//   caller ADDRESS - echo COUNT AT_ONCE KEY                     the same frames, sent back (pingpong)
//
// Prints one line of JSON.
#include "ttrpc.h"

#include <stdbool.h>

enum { AT_ONCE_MAX = 64, FRAME_BYTES_MAX = 1024, READ_BYTES = 256 << 10 };

static int fd;
static bool is_exec;
static const char *key, *program;
static int64_t next_call, finished, failed;
static uint8_t outgoing[AT_ONCE_MAX * FRAME_BYTES_MAX];
static size_t outgoing_count;
static uint8_t incoming[READ_BYTES];

// The next call's frame goes with the next write.
static void add_call(void) {
    struct message message = {0}, request = {0};
    uint32_t stream = 3 + 2 * (uint32_t)next_call;
    uint8_t *at = outgoing + outgoing_count;
    if (is_exec) {
        struct message command = {0};
        char name[256];
        // Not too many in one container: the server has a limit for that.
        snprintf(name, sizeof name, "%s%lld/%lld", key, (long long)next_call / 1000,
            (long long)next_call);
        add_text(&command, 1, program);
        add_key(&message, name);
        add_message(&message, 3, &command);
        add_message(&request, 1, &message);
        // Flags 1: no more from this client.
        outgoing_count += put_request(at, stream, 1, "Session", &request);
    } else {
        add_key(&request, key);
        outgoing_count += put_request(at, stream, 0, "ExecWait", &request);
    }
    next_call++;
}

static void send_calls(void) {
    write_all(fd, outgoing, outgoing_count);
    outgoing_count = 0;
}

// Whether this frame is the last of its call.
static bool ends_call(const uint8_t *header, uint32_t length) {
    const uint8_t *at = header + HEADER_BYTES, *end = at + length;
    if (header[8] == REQUEST) return true;
    if (header[8] == RESPONSE) {
        // Field 1 is a status; an OK one is not sent.
        failed += is_exec || (length > 0 && *at != 0x12);
        return true;
    }
    if (length > 0) {
        struct field message = take_field(&at, end);
        if (message.number == EXIT) {
            at = message.bytes;
            // A code of 0 is not sent.
            failed += take_field(&at, end).number == 1;
        }
    }
    return (header[9] & REMOTE_CLOSED) != 0;
}

// Reads once, and answers each call that has ended with the next one.
static void turn(int64_t count, size_t *kept) {
    ssize_t got = read(fd, incoming + *kept, sizeof incoming - *kept);
    if (got < 0) err(1, "reading");
    if (got == 0) errx(1, "the server has closed the connection");
    const uint8_t *at = incoming, *end = incoming + *kept + got;
    while (end - at >= HEADER_BYTES && end - at >= HEADER_BYTES + (ssize_t)read_u32(at)) {
        uint32_t length = read_u32(at);
        if (ends_call(at, length)) {
            finished++;
            if (next_call < count) add_call();
        }
        at += HEADER_BYTES + length;
    }
    *kept = (size_t)(end - at);
    memmove(incoming, at, *kept);
}

int main(int words_count, char **words) {
    is_exec = words_count == 8 && strcmp(words[3], "exec") == 0;
    bool is_wait = words_count == 7 && strcmp(words[3], "wait") == 0;
    bool is_echo = words_count == 7 && strcmp(words[3], "echo") == 0;
    if (!is_exec && !is_wait && !is_echo)
        errx(2, "usage: caller ADDRESS TOKEN exec COUNT AT_ONCE CONTAINER PROGRAM"
                " | wait COUNT AT_ONCE KEY | echo COUNT AT_ONCE KEY");
    int64_t count = parse_count(words[4]), at_once = parse_count(words[5]);
    if (at_once > AT_ONCE_MAX || count < at_once) errx(2, "at most 64 at once, and at most COUNT");
    key = words[6];
    program = words[7];
    fd = connect_to(words[1]);
    if (!is_echo) say_hello(fd, words[2]);
    size_t kept = 0;
    int64_t began = now_ns();
    while (next_call < at_once) add_call();
    send_calls();
    while (finished < count) {
        turn(count, &kept);
        if (outgoing_count > 0) send_calls();
    }
    int64_t took = now_ns() - began;
    if (failed > 0) errx(1, "%lld of %lld calls failed", (long long)failed, (long long)count);
    printf("{\"count\": %lld, \"seconds\": %.6f, \"cpu_us\": %lld}\n", (long long)count,
        (double)took / 1e9, (long long)cpu_us());
}
