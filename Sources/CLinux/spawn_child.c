// The child of a start, until it runs its program. It may share its memory and its thread-local storage
// with a thread that goes on: see spawn.c for what that forbids.
#define _GNU_SOURCE
#include "rawcall.h"
#include "spawn_block.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define CHILD static __attribute__((disable_sanitizer_instrumentation))

enum { SIGNALS = 64, KERNEL_MASK_BYTES = 8 };

// The kernel's own idea of a sigaction; the C library's differs and refuses its private signals.
struct kernel_sigaction {
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
};

CHILD void enter_step(struct el_spawn_block *child, int step) {
    __atomic_store_n(&child->progress->step, step, __ATOMIC_RELAXED);
    if (child->request.hang < 0 || child->request.hang_step != step) return;
    char byte;
    raw_call(SYS_read, child->request.hang, &byte, 1);
}

CHILD _Noreturn void fail(struct el_spawn_block *child, int step, long error) {
    struct el_spawn_progress *progress = child->progress;
    __atomic_store_n(&progress->step, step, __ATOMIC_RELAXED);
    __atomic_store_n(&progress->error, (int)error, __ATOMIC_RELAXED);
    __atomic_store_n(&progress->has_failed, 1, __ATOMIC_RELEASE);
    for (;;) raw_call(SYS_exit_group, 127);
}

CHILD void enter_cgroup(struct el_spawn_block *child, int directory) {
    long file = raw_call(SYS_openat, directory, "cgroup.procs", O_WRONLY | O_CLOEXEC, 0);
    if (file < 0) fail(child, EL_SPAWN_CGROUP, -file);
    // 0 is whoever writes.
    long written = raw_call(SYS_write, file, "0", 1);
    if (written < 0) fail(child, EL_SPAWN_CGROUP, -written);
    raw_call(SYS_close, file);
}

// While the child still has the privileges and the descriptors of its parent.
CHILD void enter_cgroups(struct el_spawn_block *child) {
    const struct el_spawn_request *request = &child->request;
    if (request->cgroup >= 0 && !child->is_in_cgroup) enter_cgroup(child, request->cgroup);
    for (size_t i = 0; i < request->v1_cgroup_count; i++) {
        enter_cgroup(child, request->v1_cgroups[i]);
    }
}

struct directory_entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
};

// For kernels without close_range (before 5.9).
CHILD int close_each_from(int first) {
    char buffer[2048] __attribute__((aligned(8)));
    int directory = (int)raw_call(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY, 0);
    if (directory < 0) return -directory;
    long count;
    while ((count = raw_call(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < count;) {
            struct directory_entry *entry = (struct directory_entry *)(buffer + at);
            at += entry->size;
            int fd = 0;
            const char *digit = entry->name;
            for (; *digit >= '0' && *digit <= '9'; digit++) fd = fd * 10 + (*digit - '0');
            if (digit == entry->name || fd < first || fd == directory) continue;
            raw_call(SYS_close, fd);
        }
    }
    int error = count < 0 ? (int)-count : 0;
    raw_call(SYS_close, directory);
    return error;
}

CHILD void set_descriptors(struct el_spawn_block *child) {
    long from[3];
    for (int i = 0; i < 3; i++) {
        from[i] = child->request.standard[i];
        // Out of the way first, so that no dup below overwrites what a later one needs.
        if (from[i] < 3) from[i] = raw_call(SYS_fcntl, from[i], F_DUPFD_CLOEXEC, 3);
        if (from[i] < 0) fail(child, EL_SPAWN_DESCRIPTORS, -from[i]);
    }
    long hang = child->request.hang;
    if (hang >= 0) hang = raw_call(SYS_fcntl, hang, F_DUPFD_CLOEXEC, 8);
    long report = child->report;
    if (report < 3) report = raw_call(SYS_fcntl, report, F_DUPFD_CLOEXEC, 3);
    if (report < 0) fail(child, EL_SPAWN_DESCRIPTORS, -report);
    for (int i = 0; i < 3; i++) {
        long answer = raw_call(SYS_dup3, from[i], i, 0);
        if (answer < 0) fail(child, EL_SPAWN_DESCRIPTORS, -answer);
    }
    // What is kept until the program runs comes first: the report, and in tests what it hangs at.
    int first = 3;
    if (report != first) {
        long answer = raw_call(SYS_dup3, report, first, O_CLOEXEC);
        if (answer < 0) fail(child, EL_SPAWN_DESCRIPTORS, -answer);
    }
    first++;
    if (hang >= 0) {
        raw_call(SYS_dup3, hang, first, O_CLOEXEC);
        child->request.hang = first++;
    }
    long answer = raw_call(SYS_close_range, first, ~0u, 0);
    if (answer == 0) return;
    int error = close_each_from(first);
    if (error) fail(child, EL_SPAWN_DESCRIPTORS, error);
}

// Before the user changes, so that little happens between that and the program. A handler would be
// reset by execve, but an ignored signal would stay ignored.
CHILD void reset_signals(void) {
    // Static: the compiler would clear one on the stack by memset, which the sanitizers intercept.
    static const struct kernel_sigaction fallback;
    for (int signal = 1; signal <= SIGNALS; signal++) {
        if (signal == SIGKILL || signal == SIGSTOP) continue;
        raw_call(SYS_rt_sigaction, signal, &fallback, NULL, KERNEL_MASK_BYTES);
    }
}

CHILD void set_user(struct el_spawn_block *child) {
    const struct el_spawn_request *request = &child->request;
    long answer = raw_call(SYS_setgroups, request->group_count, request->groups);
    if (answer < 0) {
        // Without the privilege one may still ask to stay who one is.
        bool same =
            raw_call(SYS_getuid) == request->uid && raw_call(SYS_getgid) == request->gid;
        if (answer != -EPERM || !same) fail(child, EL_SPAWN_GROUPS, -answer);
    }
    answer = raw_call(SYS_setresgid, request->gid, request->gid, request->gid);
    if (answer < 0) fail(child, EL_SPAWN_GROUPS, -answer);
    enter_step(child, EL_SPAWN_USER);
    answer = raw_call(SYS_setresuid, request->uid, request->uid, request->uid);
    if (answer < 0) fail(child, EL_SPAWN_USER, -answer);
}

// Asked here, since the path may lie in a file system that hangs.
CHILD bool is_directory(const char *path) {
    long file = raw_call(SYS_openat, AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (file >= 0) raw_call(SYS_close, file);
    return file >= 0;
}

CHILD _Noreturn void execute(struct el_spawn_block *child) {
    struct el_spawn_progress *progress = child->progress;
    const struct el_spawn_request *request = &child->request;
    int kept = ENOENT;
    int kept_candidate = 0;
    for (int i = 0; request->candidates[i]; i++) {
        const char *path = request->candidates[i];
        __atomic_store_n(&progress->candidate, i, __ATOMIC_RELAXED);
        int error = (int)-raw_call(SYS_execve, path, request->argv, request->environment);
        bool there = raw_call(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
        bool missing = !there && (error == ENOENT || error == ENOTDIR);
        bool passable = error == EACCES || error == ENOENT || error == ENOTDIR ||
                        error == ESTALE || error == ENODEV || error == ETIMEDOUT;
        // The first file that is there, or may be, is what the report is about.
        if (!passable || (!missing && kept == ENOENT && !progress->exists)) {
            kept = error;
            kept_candidate = i;
            progress->exists = there;
            progress->is_directory = error == EACCES && is_directory(path);
        }
        if (missing && !request->candidates[1]) kept = error;
        if (!passable) break;
    }
    __atomic_store_n(&progress->candidate, kept_candidate, __ATOMIC_RELAXED);
    fail(child, EL_SPAWN_EXECUTE, kept);
}

__attribute__((disable_sanitizer_instrumentation)) int el_spawn_run_child(void *argument) {
    struct el_spawn_block *child = argument;
    const struct el_spawn_request *request = &child->request;
    // First of all: whoever kills it before this has kept it from doing anything.
    __atomic_store_n(&child->progress->is_born, 1, __ATOMIC_RELAXED);

    enter_step(child, EL_SPAWN_CGROUP);
    enter_cgroups(child);
    enter_step(child, EL_SPAWN_SESSION);
    long answer = raw_call(SYS_setsid);
    if (answer < 0) fail(child, EL_SPAWN_SESSION, -answer);
    if (request->flags & EL_SPAWN_CONTROLLING_TERMINAL) {
        enter_step(child, EL_SPAWN_TERMINAL);
        answer = raw_call(SYS_ioctl, request->standard[0], TIOCSCTTY, 0);
        if (answer < 0) fail(child, EL_SPAWN_TERMINAL, -answer);
    }
    enter_step(child, EL_SPAWN_DESCRIPTORS);
    set_descriptors(child);
    bool enter_later = false;
    if (request->directory) {
        enter_step(child, EL_SPAWN_DIRECTORY);
        answer = raw_call(SYS_chdir, request->directory);
        // Root may be kept out of a user's directory (a network file system); the user may not be.
        enter_later = answer == -EACCES && (request->flags & EL_SPAWN_CHANGE_USER);
        if (answer < 0 && !enter_later) fail(child, EL_SPAWN_DIRECTORY, -answer);
    }
    enter_step(child, EL_SPAWN_LIMITS);
    for (size_t i = 0; i < request->limit_count; i++) {
        const struct el_spawn_limit *limit = &request->limits[i];
        struct rlimit64 pair = {limit->soft, limit->hard};
        answer = raw_call(SYS_prlimit64, 0, limit->resource, &pair, NULL);
        if (answer < 0) fail(child, EL_SPAWN_LIMITS, -answer);
    }
    reset_signals();
    if (request->flags & EL_SPAWN_CHANGE_USER) {
        enter_step(child, EL_SPAWN_GROUPS);
        set_user(child);
    }
    if (enter_later) {
        enter_step(child, EL_SPAWN_DIRECTORY);
        answer = raw_call(SYS_chdir, request->directory);
        if (answer < 0) fail(child, EL_SPAWN_DIRECTORY, -answer);
    }
    enter_step(child, EL_SPAWN_EXECUTE);
    uint64_t nothing = 0;
    raw_call(SYS_rt_sigprocmask, SIG_SETMASK, &nothing, NULL, KERNEL_MASK_BYTES);
    execute(child);
}
