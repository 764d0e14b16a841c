// The viewers of the benchmarks: take what comes on many connections in one thread, count it, and
// note when lines of `source` have arrived. So cheap that what sends is what is measured.
//
//   viewer exec ADDRESS TOKEN CONNECTIONS KEY...   each connection views each exec
//   viewer frames ADDRESS CONNECTIONS              frames without a greeting (relay)
//   viewer raw ADDRESS | -                         bytes without frames, of stdin for - (peers)
//
// Options before these: -l only what comes after now; -m BYTES notes when so many have come; -t FILE
// the time of each line's writing and of its arrival, pairs of 64 bits. Prints `ready` once everything is being viewed, and when all
// streams have ended one line of JSON.
#include "ttrpc.h"

#include <stdbool.h>
#include <sys/epoll.h>

enum { READ_BYTES = 256 << 10, PREFIX_BYTES = 128, FRAME_BYTES_MAX = 80 << 10, LINE_BYTES = 64 };

struct connection {
    int fd;
    int streams;     // that have not ended
    size_t skip;     // the rest of a payload that is only counted
    size_t carried;  // the beginning of a frame that has not all arrived
    uint8_t *carry;
};

static bool is_raw, is_live;
static FILE *times;
static int64_t bytes, frames, first_ns, last_ns, streams_left, ready_left;
static int64_t mark_bytes = INT64_MAX, mark_ns;
static int streams_per_connection;
static uint8_t space[FRAME_BYTES_MAX + READ_BYTES];

static void note_lines(const uint8_t *payload, size_t count, int64_t arrived) {
    for (; count >= LINE_BYTES; payload += LINE_BYTES, count -= LINE_BYTES) {
        // A bulk block between lines is no line.
        if (payload[0] != '0') continue;
        int64_t pair[2] = {strtoll((const char *)payload, NULL, 10), arrived};
        fwrite(pair, sizeof pair, 1, times);
    }
}

static void count_bytes(int64_t count, int64_t arrived) {
    if (first_ns == 0) first_ns = arrived;
    last_ns = arrived;
    bytes += count;
    if (bytes >= mark_bytes && mark_ns == 0) mark_ns = arrived;
}

static void note_output(struct field output, const uint8_t *end, int64_t arrived) {
    const uint8_t *at = output.bytes;
    struct field field = {0};
    // The payload comes last.
    while (field.number < 14) field = take_field(&at, end);
    count_bytes((int64_t)field.value, arrived);
    frames++;
    if (times != NULL) note_lines(at, field.value, arrived);
}

static void note_exit(struct field exit_message, const uint8_t *end) {
    const uint8_t *at = exit_message.bytes;
    struct field first = take_field(&at, end);
    // A code of 0 is not sent; the reason is field 2.
    if (first.number == 1) errx(1, "an exec ended with %d", (int)first.value);
}

static void end_stream(struct connection *on) {
    on->streams--;
    streams_left--;
}

static void ready(void) {
    if (--ready_left > 0) return;
    puts("ready");
    fflush(stdout);
}

// One frame, or as much of it as there is beyond its prefix.
static void note_frame(
    struct connection *on, const uint8_t *header, const uint8_t *end, int64_t arrived
) {
    const uint8_t *at = header + HEADER_BYTES;
    if (header[8] == RESPONSE) errx(1, "the server refuses: %.*s", (int)(end - at), at);
    if (at < end) {
        struct field message = take_field(&at, end);
        switch (message.number) {
        case READY: ready(); break;
        case OUTPUT: note_output(message, end, arrived); break;
        case GAP: errx(1, "a gap in the output"); break;
        case EXIT: note_exit(message, end); break;
        }
    }
    if (header[9] & REMOTE_CLOSED) end_stream(on);
}

// Takes what has arrived, and keeps what is not enough to be looked at.
static void parse(struct connection *on, const uint8_t *at, const uint8_t *end, int64_t arrived) {
    if (is_raw) {
        count_bytes(end - at, arrived);
        return;
    }
    while (at < end) {
        size_t there = (size_t)(end - at);
        if (on->skip > 0) {
            size_t count = on->skip < there ? on->skip : there;
            on->skip -= count;
            at += count;
            continue;
        }
        size_t whole = there < HEADER_BYTES ? HEADER_BYTES : HEADER_BYTES + read_u32(at);
        size_t needed = times == NULL && whole > PREFIX_BYTES ? PREFIX_BYTES : whole;
        if (needed > FRAME_BYTES_MAX) errx(1, "a frame of %zu bytes", whole);
        if (there < needed) {
            memcpy(on->carry, at, there);
            on->carried = there;
            return;
        }
        size_t shown = whole < there ? whole : there;
        note_frame(on, at, at + shown, arrived);
        on->skip = whole - shown;
        at += shown;
    }
}

static void receive(struct connection *on) {
    uint8_t *at = space + FRAME_BYTES_MAX;
    ssize_t count = read(on->fd, at, READ_BYTES);
    if (count < 0) err(1, "reading");
    if (count == 0) {
        if (is_raw) end_stream(on);
        if (on->streams > 0) errx(1, "the server has closed the connection");
        close(on->fd);
        return;
    }
    uint8_t *begin = at - on->carried;
    memcpy(begin, on->carry, on->carried);
    on->carried = 0;
    parse(on, begin, at + count, now_ns());
}

static void attach(int fd, char **keys) {
    uint8_t frame[sizeof(struct message) + HEADER_BYTES];
    for (int i = 0; i < streams_per_connection; i++) {
        struct message start = {0}, view = {0}, request = {0};
        add_key(&start, keys[i]);
        if (is_live) add_number(&view, 1, 1);
        add_message(&start, 4, &view);
        add_message(&request, 1, &start);
        write_all(fd, frame, put_request(frame, 2 * (uint32_t)i + 3, 2, "Session", &request));
    }
}

static void usage(void) {
    errx(2, "usage: viewer [-l] [-m BYTES] [-t FILE] exec ADDRESS TOKEN CONNECTIONS KEY..."
            " | frames ADDRESS CONNECTIONS | raw ADDRESS|-");
}

// The connections that the arguments ask for, each being read from.
static int open_all(int count, char **words, int poll) {
    bool is_exec = count >= 5 && strcmp(words[0], "exec") == 0;
    bool is_frames = count == 3 && strcmp(words[0], "frames") == 0;
    is_raw = count == 2 && strcmp(words[0], "raw") == 0;
    if (!is_exec && !is_frames && !is_raw) usage();
    int connections = is_raw ? 1 : (int)parse_count(words[is_exec ? 3 : 2]);
    streams_per_connection = is_exec ? count - 4 : 1;
    streams_left = ready_left = (int64_t)connections * streams_per_connection;
    for (int i = 0; i < connections; i++) {
        struct connection *on = calloc(1, sizeof *on);
        if (on == NULL || (on->carry = malloc(FRAME_BYTES_MAX)) == NULL) err(1, "memory");
        on->streams = streams_per_connection;
        on->fd = strcmp(words[1], "-") == 0 ? 0 : connect_to(words[1]);
        if (is_exec) say_hello(on->fd, words[2]);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = on};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, on->fd, &event) < 0) err(1, "epoll");
        if (is_exec) attach(on->fd, words + 4);
        else ready();
    }
    return connections;
}

int main(int count, char **words) {
    for (int option; (option = getopt(count, words, "+lm:t:")) != -1;) {
        if (option == 'l') is_live = true;
        else if (option == 'm') mark_bytes = parse_count(optarg);
        else if (option != 't') usage();
        else if ((times = fopen(optarg, "w")) == NULL) err(1, "%s", optarg);
    }
    int poll = epoll_create1(EPOLL_CLOEXEC);
    int connections = open_all(count - optind, words + optind, poll);
    while (streams_left > 0) {
        struct epoll_event events[64];
        int ready_count = epoll_wait(poll, events, 64, -1);
        for (int i = 0; i < ready_count; i++) receive(events[i].data.ptr);
    }
    if (times != NULL && fclose(times) != 0) err(1, "writing the times");
    printf("{\"connections\": %d, \"bytes\": %lld, \"frames\": %lld, \"first_ns\": %lld,"
           " \"last_ns\": %lld, \"mark_ns\": %lld, \"cpu_us\": %lld}\n",
        connections, (long long)bytes, (long long)frames, (long long)first_ns,
        (long long)last_ns, (long long)mark_ns, (long long)cpu_us());
}
