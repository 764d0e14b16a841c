// System calls that touch nothing but registers. A child that shares its memory with a thread that runs
// on also shares that thread's `errno`, so it must not use the C library's `syscall`.
#pragma once

#include <sys/syscall.h>

#define RAW_CALL static inline __attribute__((always_inline, unused))

#if defined(__x86_64__)

#define HAS_RAW_CALLS 1

RAW_CALL long raw6(long number, long a, long b, long c, long d, long e, long f) {
    long answer;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(answer)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return answer;
}

#elif defined(__aarch64__)

#define HAS_RAW_CALLS 1

RAW_CALL long raw6(long number, long a, long b, long c, long d, long e, long f) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}

#else

#include <errno.h>
#include <unistd.h>

// Only for children with memory of their own: see start_by_clone.
#define HAS_RAW_CALLS 0

RAW_CALL long raw6(long number, long a, long b, long c, long d, long e, long f) {
    long answer = syscall(number, a, b, c, d, e, f);
    return answer < 0 ? -errno : answer;
}

#endif

#define RAW_ARGUMENT(x) ((long)(x))
#define RAW_CHOOSE(_0, _1, _2, _3, _4, _5, name, ...) name
#define raw_call(...) RAW_CHOOSE(__VA_ARGS__, RAW_5, RAW_4, RAW_3, RAW_2, RAW_1, RAW_0)(__VA_ARGS__)
#define RAW_0(n) raw6(n, 0, 0, 0, 0, 0, 0)
#define RAW_1(n, a) raw6(n, RAW_ARGUMENT(a), 0, 0, 0, 0, 0)
#define RAW_2(n, a, b) raw6(n, RAW_ARGUMENT(a), RAW_ARGUMENT(b), 0, 0, 0, 0)
#define RAW_3(n, a, b, c) raw6(n, RAW_ARGUMENT(a), RAW_ARGUMENT(b), RAW_ARGUMENT(c), 0, 0, 0)
#define RAW_4(n, a, b, c, d)                                                                      \
    raw6(n, RAW_ARGUMENT(a), RAW_ARGUMENT(b), RAW_ARGUMENT(c), RAW_ARGUMENT(d), 0, 0)
#define RAW_5(n, a, b, c, d, e)                                                                   \
    raw6(n, RAW_ARGUMENT(a), RAW_ARGUMENT(b), RAW_ARGUMENT(c), RAW_ARGUMENT(d), RAW_ARGUMENT(e), 0)
