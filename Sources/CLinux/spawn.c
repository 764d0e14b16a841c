// Starting a process: clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD), so that neither the caller's page
// tables are copied nor a number stands for the process before a descriptor does. Into a cgroup: the
// same by clone3, whose child is born there; to move it later would wait for every processor.
//
// The child shares the caller's memory until it runs the program. So it has a stack of its own, calls
// nothing but the kernel (raw: the C library's setuid and its like would signal the caller's other
// threads), allocates nothing, and reports by writing to `result`. All signals are blocked in the
// caller, so no handler can run in the child either. The sanitizers must not see the child at all:
// what they'd note in the shared memory would never be undone.
#define _GNU_SOURCE
#include "spawn.h"

#include "clone3.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD static __attribute__((disable_sanitizer_instrumentation))

// Newer than some headers (Linux 5.7).
#define INTO_CGROUP 0x200000000ull

enum { STACK_BYTES = 64 * 1024, SIGNALS = 64, KERNEL_MASK_BYTES = 8 };

_Static_assert(sizeof(struct el_spawn_limit) == 24, "built in Swift");
_Static_assert(sizeof(gid_t) == sizeof(uint32_t), "groups are handed over as they are");
_Static_assert(sizeof(struct el_spawn_result) == 24, "travels through a pipe in one piece");
_Static_assert(sizeof(struct el_spawn_result) <= PIPE_BUF, "travels through a pipe in one piece");

struct child {
    const struct el_spawn_request *request;
    struct el_spawn_result *result;
    // Where the report goes when memory isn't shared, else -1.
    int report;
    // It was born in the group that was asked for.
    bool is_in_cgroup;
};

// The kernel's own idea of a sigaction; the C library's differs and refuses its private signals.
struct kernel_sigaction {
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
};

CHILD _Noreturn void fail(struct child *child, int step, int error) {
    child->result->step = step;
    child->result->error = error;
    if (child->report >= 0) {
        while (syscall(SYS_write, child->report, child->result, sizeof *child->result) < 0 &&
               errno == EINTR) {
        }
    }
    for (;;) syscall(SYS_exit_group, 127);
}

CHILD void enter_cgroup(struct child *child, int directory) {
    long file = syscall(SYS_openat, directory, "cgroup.procs", O_WRONLY | O_CLOEXEC, 0);
    if (file < 0) fail(child, EL_SPAWN_CGROUP, errno);
    // 0 is whoever writes.
    if (syscall(SYS_write, (int)file, "0", 1) < 0) fail(child, EL_SPAWN_CGROUP, errno);
    syscall(SYS_close, (int)file);
}

// While the child still has the privileges and the descriptors of its parent.
CHILD void enter_cgroups(struct child *child) {
    const struct el_spawn_request *request = child->request;
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
    int directory = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY, 0);
    if (directory < 0) return errno;
    long count;
    while ((count = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < count;) {
            struct directory_entry *entry = (struct directory_entry *)(buffer + at);
            at += entry->size;
            int fd = 0;
            const char *digit = entry->name;
            for (; *digit >= '0' && *digit <= '9'; digit++) fd = fd * 10 + (*digit - '0');
            if (digit == entry->name || fd < first || fd == directory) continue;
            syscall(SYS_close, fd);
        }
    }
    int error = count < 0 ? errno : 0;
    syscall(SYS_close, directory);
    return error;
}

CHILD void set_descriptors(struct child *child) {
    int from[3];
    for (int i = 0; i < 3; i++) {
        from[i] = child->request->standard[i];
        // Out of the way first, so that no dup below overwrites what a later one needs.
        if (from[i] < 3) from[i] = (int)syscall(SYS_fcntl, from[i], F_DUPFD_CLOEXEC, 3);
        if (from[i] < 0) fail(child, EL_SPAWN_DESCRIPTORS, errno);
    }
    if (child->report >= 0 && child->report < 3) {
        child->report = (int)syscall(SYS_fcntl, child->report, F_DUPFD_CLOEXEC, 3);
    }
    for (int i = 0; i < 3; i++) {
        if (syscall(SYS_dup3, from[i], i, 0) < 0) fail(child, EL_SPAWN_DESCRIPTORS, errno);
    }
    int first = 3;
    if (child->report >= 0) {
        if (child->report != 3 && syscall(SYS_dup3, child->report, 3, O_CLOEXEC) < 0) {
            fail(child, EL_SPAWN_DESCRIPTORS, errno);
        }
        child->report = 3;
        first = 4;
    }
    if (syscall(SYS_close_range, first, ~0u, 0) == 0) return;
    int error = close_each_from(first);
    if (error) fail(child, EL_SPAWN_DESCRIPTORS, error);
}

// Before the user changes, so that little happens between that and the program. A handler would be
// reset by execve, but an ignored signal would stay ignored.
CHILD void reset_signals(void) {
    struct kernel_sigaction fallback = {0};
    for (int signal = 1; signal <= SIGNALS; signal++) {
        if (signal == SIGKILL || signal == SIGSTOP) continue;
        syscall(SYS_rt_sigaction, signal, &fallback, NULL, KERNEL_MASK_BYTES);
    }
}

CHILD void set_user(struct child *child) {
    const struct el_spawn_request *request = child->request;
    if (syscall(SYS_setgroups, request->group_count, request->groups) < 0) {
        // Without the privilege one may still ask to stay who one is.
        bool same = syscall(SYS_getuid) == request->uid && syscall(SYS_getgid) == request->gid;
        if (errno != EPERM || !same) fail(child, EL_SPAWN_GROUPS, errno);
    }
    if (syscall(SYS_setresgid, request->gid, request->gid, request->gid) < 0) {
        fail(child, EL_SPAWN_GROUPS, errno);
    }
    if (syscall(SYS_setresuid, request->uid, request->uid, request->uid) < 0) {
        fail(child, EL_SPAWN_USER, errno);
    }
}

CHILD _Noreturn void execute(struct child *child) {
    struct el_spawn_result *result = child->result;
    const struct el_spawn_request *request = child->request;
    int kept = ENOENT;
    for (int i = 0; request->candidates[i]; i++) {
        const char *path = request->candidates[i];
        syscall(SYS_execve, path, request->argv, request->environment);
        int error = errno;
        bool there = syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
        bool missing = !there && (error == ENOENT || error == ENOTDIR);
        bool passable = error == EACCES || error == ENOENT || error == ENOTDIR ||
                        error == ESTALE || error == ENODEV || error == ETIMEDOUT;
        // The first file that is there, or may be, is what the report is about.
        if (!passable || (!missing && kept == ENOENT && !result->exists)) {
            kept = error;
            result->candidate = i;
            result->exists = there;
        }
        if (missing && !request->candidates[1]) kept = error;
        if (!passable) break;
    }
    fail(child, EL_SPAWN_EXECUTE, kept);
}

CHILD int run_child(void *argument) {
    struct child *child = argument;
    const struct el_spawn_request *request = child->request;

    enter_cgroups(child);
    if (syscall(SYS_setsid) < 0) fail(child, EL_SPAWN_SESSION, errno);
    if (request->flags & EL_SPAWN_CONTROLLING_TERMINAL) {
        if (syscall(SYS_ioctl, request->standard[0], TIOCSCTTY, 0) < 0) {
            fail(child, EL_SPAWN_TERMINAL, errno);
        }
    }
    set_descriptors(child);
    bool enter_later = false;
    if (request->directory && syscall(SYS_chdir, request->directory) < 0) {
        // Root may be kept out of a user's directory (a network file system); the user may not be.
        enter_later = errno == EACCES && (request->flags & EL_SPAWN_CHANGE_USER);
        if (!enter_later) fail(child, EL_SPAWN_DIRECTORY, errno);
    }
    for (size_t i = 0; i < request->limit_count; i++) {
        const struct el_spawn_limit *limit = &request->limits[i];
        struct rlimit64 pair = {limit->soft, limit->hard};
        if (syscall(SYS_prlimit64, 0, limit->resource, &pair, NULL) < 0) {
            fail(child, EL_SPAWN_LIMITS, errno);
        }
    }
    reset_signals();
    if (request->flags & EL_SPAWN_CHANGE_USER) set_user(child);
    if (enter_later && syscall(SYS_chdir, request->directory) < 0) {
        fail(child, EL_SPAWN_DIRECTORY, errno);
    }
    uint64_t nothing = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &nothing, NULL, KERNEL_MASK_BYTES);
    execute(child);
}

static void collect_failed(struct el_spawn_result *result) {
    siginfo_t info;
    while (waitid(P_PIDFD, (id_t)result->pidfd, &info, WEXITED) < 0 && errno == EINTR) {}
    close(result->pidfd);
    result->pid = 0;
    result->pidfd = -1;
}

// What the kernel, or a filter before it, says of a call or flags that it doesn't know.
static bool is_refusal(int error) {
    return error == ENOSYS || error == EPERM || error == EINVAL || error == E2BIG;
}

static bool is_about_cgroup(int error) {
    return error == EACCES || error == EBUSY || error == ENODEV || error == ENOENT ||
           error == EOPNOTSUPP || error == EBADF;
}

// The child's number, or -errno.
static int clone_on(char *stack, size_t size, struct child *child, int *pidfd) {
    const unsigned flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD;
    if (child->request->cgroup >= 0) {
        struct clone3_arguments arguments = {
            .flags = flags | INTO_CGROUP,
            .pidfd = (uint64_t)(uintptr_t)pidfd,
            .exit_signal = SIGCHLD,
            .stack = (uint64_t)(uintptr_t)stack,
            .stack_size = size,
            .cgroup = (uint64_t)child->request->cgroup,
        };
        child->is_in_cgroup = true;
        int pid = (int)clone3_run(&arguments, sizeof arguments, run_child, child);
        if (pid >= 0 || !is_refusal(-pid)) return pid;
        child->is_in_cgroup = false;
    }
    int pid = clone(run_child, stack + size, flags | SIGCHLD, child, pidfd);
    return pid < 0 ? -errno : pid;
}

// False: the kernel (or its filter) refuses this kind of clone.
static bool start_by_clone(struct child *child) {
    struct el_spawn_result *result = child->result;
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    char *stack = mmap(NULL, guard + STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED) {
        result->step = EL_SPAWN_CLONE;
        result->error = errno;
        return true;
    }
    mprotect(stack, guard, PROT_NONE);
    int pidfd = -1;
    int pid = clone_on(stack + guard, STACK_BYTES, child, &pidfd);
    munmap(stack, guard + STACK_BYTES);
    if (pid >= 0) {
        result->pid = pid;
        result->pidfd = pidfd;
        return true;
    }
    if (is_refusal(-pid)) return false;
    result->step = child->is_in_cgroup && is_about_cgroup(-pid) ? EL_SPAWN_CGROUP : EL_SPAWN_CLONE;
    result->error = -pid;
    return true;
}

static void start_by_fork(struct child *child) {
    struct el_spawn_result *result = child->result;
    int report[2] = {-1, -1};
    result->step = EL_SPAWN_CLONE;
    if (pipe2(report, O_CLOEXEC) < 0) {
        result->error = errno;
        return;
    }
    int pid = fork();
    if (pid == 0) {
        result->step = 0;
        child->report = report[1];
        run_child(child);
    }
    result->error = errno;
    close(report[1]);
    if (pid > 0) {
        result->pid = pid;
        result->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (result->pidfd < 0) {
            result->error = errno;
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        } else {
            struct el_spawn_result told = *result;
            ssize_t count;
            while ((count = read(report[0], &told, sizeof told)) < 0 && errno == EINTR) {}
            told.pid = result->pid;
            told.pidfd = result->pidfd;
            *result = told;
            if (count != sizeof told) result->step = result->error = 0;
        }
    }
    close(report[0]);
}

// Changing the user in a child that shares our memory makes us undumpable, which is what keeps that
// user from tracing the child while it still can see our memory. So the flag is put back only when
// no such child is left: one at a time.
static pthread_mutex_t user_change = PTHREAD_MUTEX_INITIALIZER;

void el_spawn(const struct el_spawn_request *request, struct el_spawn_result *result) {
    *result = (struct el_spawn_result){.pidfd = -1};
    struct child child = {request, result, -1, false};
    bool changes_user = request->flags & EL_SPAWN_CHANGE_USER;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int dumpable = 0;
    if (changes_user) {
        pthread_mutex_lock(&user_change);
        dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
    }
    if ((request->flags & EL_SPAWN_BY_FORK) || !start_by_clone(&child)) start_by_fork(&child);
    if (result->step && result->pidfd >= 0) collect_failed(result);
    if (changes_user) {
        // 2 can't be asked for; it is also what the kernel has then left there.
        if (dumpable == 0 || dumpable == 1) prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0);
        pthread_mutex_unlock(&user_change);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
