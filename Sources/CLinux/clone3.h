// clone3(2) for a child that shares memory: the C library has none that takes a stack.
#pragma once

#include <stddef.h>
#include <stdint.h>

// As the kernel has it since Linux 5.7, which added the last field.
struct clone3_arguments {
    uint64_t flags;
    // Where to put the descriptor for the child: an `int *`.
    uint64_t pidfd;
    uint64_t child_tid;
    uint64_t parent_tid;
    uint64_t exit_signal;
    // The lowest address of the stack; it is used from the top.
    uint64_t stack;
    uint64_t stack_size;
    uint64_t tls;
    uint64_t set_tid;
    uint64_t set_tid_size;
    // The directory of the group to be born in, open.
    uint64_t cgroup;
};
_Static_assert(sizeof(struct clone3_arguments) == 88, "CLONE_ARGS_SIZE_VER2");

/// Makes a child that calls `run(argument)` on the stack in `arguments`; `run` must not return.
/// Answers the child's number, or -errno: -ENOSYS where this processor has no stub.
long clone3_run(const struct clone3_arguments *arguments, size_t size, int (*run)(void *),
                void *argument);
