// The exec of the benchmarks: writes what its arguments say, one after the other, to stdout.
//
//   gate FIFO                    waits until somebody opens FIFO for writing
//   bulk BYTES                   as fast as the pipe takes them, 64 KiB a write
//   paced BYTES BYTES_PER_MS     so many each millisecond, in one write
//   lines COUNT INTERVAL_US      64 bytes each: when it was written, in ns of CLOCK_MONOTONIC
#include "common.h"

#include <fcntl.h>

enum { BLOCK_BYTES = 64 << 10, LINE_BYTES = 64 };

static char block[BLOCK_BYTES];

static void wait_for_gate(const char *fifo) {
    int fd = open(fifo, O_RDONLY);
    if (fd < 0) err(1, "%s", fifo);
    close(fd);
}

static void write_bulk(int64_t bytes, int64_t each) {
    for (; bytes > 0; bytes -= each) write_all(1, block, (size_t)(bytes < each ? bytes : each));
}

// Sleeps until a time that does not depend on how late it was before.
static void sleep_until(int64_t ns) {
    struct timespec time = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static void write_paced(int64_t bytes, int64_t each) {
    if (each > BLOCK_BYTES) errx(2, "at most %d bytes a millisecond", BLOCK_BYTES);
    for (int64_t due = now_ns(); bytes > 0; bytes -= each) {
        sleep_until(due += 1000000);
        write_bulk(bytes < each ? bytes : each, each);
    }
}

static void write_lines(int64_t count, int64_t interval_us) {
    char line[LINE_BYTES + 1];
    for (int64_t due = now_ns(); count > 0; count--) {
        sleep_until(due += interval_us * 1000);
        snprintf(line, sizeof line, "%020lld %042d\n", (long long)now_ns(), 0);
        write_all(1, line, LINE_BYTES);
    }
}

int main(int count, char **words) {
    memset(block, 'x', sizeof block);
    for (int i = 1; i < count;) {
        const char *word = words[i];
        int left = count - i;
        if (left >= 2 && strcmp(word, "gate") == 0) {
            wait_for_gate(words[i + 1]);
            i += 2;
        } else if (left >= 2 && strcmp(word, "bulk") == 0) {
            write_bulk(parse_count(words[i + 1]), BLOCK_BYTES);
            i += 2;
        } else if (left >= 3 && strcmp(word, "paced") == 0) {
            write_paced(parse_count(words[i + 1]), parse_count(words[i + 2]));
            i += 3;
        } else if (left >= 3 && strcmp(word, "lines") == 0) {
            write_lines(parse_count(words[i + 1]), parse_count(words[i + 2]));
            i += 3;
        } else {
            errx(2, "usage: source [gate FIFO | bulk BYTES | paced BYTES BYTES_PER_MS"
                    " | lines COUNT INTERVAL_US]...");
        }
    }
}
