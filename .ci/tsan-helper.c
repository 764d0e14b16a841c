// Linked into what ThreadSanitizer watches, to mend the two things that it gets wrong here.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/types.h>

// 1. Swift's `Mutex`. Where a lock is contended, taking and leaving it happens inside the Swift
// runtime, which is not instrumented, and what the lock guards would be reported as a race.

void __tsan_acquire(void *address);
void __tsan_release(void *address);

// Synchronization._MutexHandle._lockSlow(_: UInt32) and ._unlockSlow(), as Linux has them.
#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *self

SWIFT void lock_slow(uint32_t thread, SELF) __asm__(LOCK_SLOW);
SWIFT void unlock_slow(SELF) __asm__(UNLOCK_SLOW);

SWIFT void lock_slow(uint32_t thread, SELF) {
    SWIFT void (*real)(uint32_t, SELF) = dlsym(RTLD_NEXT, LOCK_SLOW);
    real(thread, self);
    __tsan_acquire(self);
}

SWIFT void unlock_slow(SELF) {
    SWIFT void (*real)(SELF) = dlsym(RTLD_NEXT, UNLOCK_SLOW);
    __tsan_release(self);
    real(self);
}

// 2. A clone that shares memory. It is taken for a fork, and the child then undoes the books of the
// parent. The child of a spawn runs no instrumented code: so nobody need know of it.

int clone(int (*start)(void *), void *stack, int flags, void *argument, ...) {
    int (*real)(int (*)(void *), void *, int, void *, ...) = dlsym(RTLD_NEXT, "clone");
    va_list rest;
    va_start(rest, argument);
    pid_t *parent_id = va_arg(rest, pid_t *);
    va_end(rest);
    return real(start, stack, flags, argument, parent_id);
}
