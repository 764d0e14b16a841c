// A system call after which parent and child are at the same place on different stacks: C can't say
// that, since its compiler may keep anything on the stack. Hence assembly; see clone3.h.
#include "clone3.h"

#include <errno.h>
#include <sys/syscall.h>

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
_Static_assert(SYS_clone3 == 435, "written into the assembly below");

#if defined(__x86_64__)

// In: rdi and rsi are the call's own arguments, rdx = run, rcx = argument. The kernel overwrites rax,
// rcx and r11 only. A debugger finds no caller in the child: there is none.
__asm__(
    ".text\n"
    ".p2align 4\n"
    ".globl clone3_run\n"
    ".hidden clone3_run\n"
    ".type clone3_run, @function\n"
    "clone3_run:\n"
    ".cfi_startproc\n"
    "endbr64\n"
    "movq %rcx, %r8\n"
    "movl $435, %eax\n"
    "syscall\n"
    "testq %rax, %rax\n"
    "jz 1f\n"
    "ret\n"
    "1:\n"
    ".cfi_undefined rip\n"
    "xorl %ebp, %ebp\n"
    "movq %r8, %rdi\n"
    "callq *%rdx\n"
    "ud2\n"
    ".cfi_endproc\n"
    ".size clone3_run, .-clone3_run\n");

#elif defined(__aarch64__)

// In: x0 and x1 are the call's own arguments, x2 = run, x3 = argument. The kernel overwrites x0 only.
// `hint #34` is a landing pad (bti c); older processors do nothing there.
__asm__(
    ".text\n"
    ".p2align 4\n"
    ".globl clone3_run\n"
    ".hidden clone3_run\n"
    ".type clone3_run, %function\n"
    "clone3_run:\n"
    ".cfi_startproc\n"
    "hint #34\n"
    "mov x8, #435\n"
    "svc #0\n"
    "cbz x0, 1f\n"
    "ret\n"
    "1:\n"
    ".cfi_undefined x30\n"
    "mov x29, xzr\n"
    "mov x30, xzr\n"
    "mov x0, x3\n"
    "blr x2\n"
    "brk #1\n"
    ".cfi_endproc\n"
    ".size clone3_run, .-clone3_run\n");

#else

long clone3_run(const struct clone3_arguments *arguments, size_t size, int (*run)(void *),
                void *argument) {
    (void)arguments, (void)size, (void)run, (void)argument;
    return -ENOSYS;
}

#endif
