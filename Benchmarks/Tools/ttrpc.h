// Just enough of ttrpc and of Proto/exec.proto for the benchmarks, by hand: what a library costs is
// not to be in any figure. PROTOCOL.md has the frames.
#pragma once

#include "common.h"

enum { HEADER_BYTES = 10, REQUEST = 1, RESPONSE = 2, DATA = 3, REMOTE_CLOSED = 1, END = 5 };

// Of SessionResponse.
enum { READY = 1, OUTPUT = 2, GAP = 3, EXIT = 5 };

static inline uint32_t read_u32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return ntohl(value);
}

static inline void put_u32(uint8_t *at, uint32_t value) {
    value = htonl(value);
    memcpy(at, &value, sizeof value);
}

static inline void put_header(
    uint8_t *at, uint32_t length, uint32_t stream, uint8_t type, uint8_t flags
) {
    put_u32(at, length);
    put_u32(at + 4, stream);
    at[8] = type;
    at[9] = flags;
}

static inline uint8_t *put_varint(uint8_t *at, uint64_t value) {
    for (; value > 127; value >>= 7) *at++ = (uint8_t)(value | 128);
    *at++ = (uint8_t)value;
    return at;
}

// A message that is being written; the largest here is an argument list.
struct message {
    size_t length;
    uint8_t bytes[8192];
};

static inline void add_bytes(
    struct message *to, uint32_t number, const void *bytes, size_t count
) {
    if (to->length + count + 16 > sizeof to->bytes) errx(1, "a message is too long");
    uint8_t *at = put_varint(to->bytes + to->length, (uint64_t)number << 3 | 2);
    at = put_varint(at, count);
    memcpy(at, bytes, count);
    to->length = (size_t)(at + count - to->bytes);
}

static inline void add_text(struct message *to, uint32_t number, const char *text) {
    add_bytes(to, number, text, strlen(text));
}

static inline void add_message(
    struct message *to, uint32_t number, const struct message *message
) {
    add_bytes(to, number, message->bytes, message->length);
}

static inline void add_number(struct message *to, uint32_t number, uint64_t value) {
    uint8_t *at = put_varint(to->bytes + to->length, (uint64_t)number << 3);
    to->length = (size_t)(put_varint(at, value) - to->bytes);
}

// The names of an exec, "container/exec": fields 1 and 2 of all that names one.
static inline void add_key(struct message *to, const char *key) {
    const char *slash = strchr(key, '/');
    if (slash == NULL) errx(2, "'%s' is not CONTAINER/EXEC", key);
    add_bytes(to, 1, key, (size_t)(slash - key));
    add_text(to, 2, slash + 1);
}

// Writes a Request frame; returns its size.
static inline size_t put_request(
    uint8_t *at, uint32_t stream, uint8_t flags, const char *method, const struct message *payload
) {
    struct message request = {0};
    add_text(&request, 1, "execstream.v1.Exec");
    add_text(&request, 2, method);
    add_message(&request, 3, payload);
    put_header(at, (uint32_t)request.length, stream, REQUEST, flags);
    memcpy(at + HEADER_BYTES, request.bytes, request.length);
    return HEADER_BYTES + request.length;
}

static inline uint64_t take_varint(const uint8_t **at, const uint8_t *end) {
    uint64_t value = 0;
    for (int shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return value;
    }
    errx(1, "the server's message is cut");
}

// A field of a message that is being read: a number, or bytes of which not all need be there yet.
struct field {
    uint32_t number;
    uint64_t value;  // of a number; else the count of bytes
    const uint8_t *bytes;
};

// The next field's tag and value; the bytes of a long one are not passed over.
static inline struct field take_field(const uint8_t **at, const uint8_t *end) {
    uint64_t tag = take_varint(at, end);
    struct field field = {.number = (uint32_t)(tag >> 3), .value = take_varint(at, end)};
    if ((tag & 7) == 2) field.bytes = *at;
    else if ((tag & 7) != 0) errx(1, "the server's message has a field of type %d", (int)(tag & 7));
    return field;
}

// Shows the token, and waits for the answer.
static inline void say_hello(int fd, const char *token) {
    struct message hello = {0};
    add_text(&hello, 1, "bench/1");
    add_text(&hello, 2, token);
    uint8_t frame[512];
    write_all(fd, frame, put_request(frame, 1, 0, "Hello", &hello));
    if (recv(fd, frame, HEADER_BYTES, MSG_WAITALL) != HEADER_BYTES) errx(1, "no answer to Hello");
    ssize_t length = read_u32(frame);
    if (length > (ssize_t)sizeof frame || recv(fd, frame, (size_t)length, MSG_WAITALL) != length)
        errx(1, "no answer to Hello");
    // An OK answer has field 2 and no status, which would be field 1.
    if (frame[0] != 0x12) errx(1, "Hello was refused");
}
