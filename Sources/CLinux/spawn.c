// Starting a process without waiting for it: clone(CLONE_VM | CLONE_PIDFD), so that neither the caller's
// page tables are copied nor a number stands for the process before a descriptor does. Into a cgroup: the
// same by clone3, whose child is born there; to move it later would wait for every processor.
//
// There is no CLONE_VFORK: with it the caller waits in the kernel until the child runs its program, and
// a child that somebody stops, or that hangs in a file system, would stop the caller. The child shares the
// caller's memory until it runs the program, while the caller goes on. Therefore:
//
// - All that the child uses lies in its block (stack, request, progress) and in what the request points
//   to. Both stay until the report pipe is at its end: the kernel closes the child's end of it after it
//   has let go of the memory, when the program runs as well as when the child ends.
// - The child also shares the calling thread's thread-local storage, `errno` in it. It makes system calls
//   with rawcall.h and calls nothing of the C library. spawn_child.c has all of it.
// - All signals are blocked in the caller during the clone, so no handler can run in the child. It
//   unblocks them once it has reset all dispositions.
// - The sanitizers must not see the child at all: what they'd note in the shared memory would never be
//   undone.
// - The kernel kills all who share the memory of a process that exceeds the memory limit of its cgroup
//   (unless it is a vfork child). Where there is such a limit, the child gets a copy of the memory
//   (EL_SPAWN_OWN_MEMORY), and reports through a shared page.
#define _GNU_SOURCE
#include "spawn.h"

#include "clone3.h"
#include "rawcall.h"
#include "spawn_block.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Newer than some headers (Linux 5.7).
#define INTO_CGROUP 0x200000000ull

enum { STACK_BYTES = 64 * 1024, KEPT_BLOCKS_MAX = 64 };

_Static_assert(sizeof(struct el_spawn_limit) == 24, "built in Swift");
_Static_assert(sizeof(gid_t) == sizeof(uint32_t), "groups are handed over as they are");

// MARK: Blocks

// Kept to be used again: to map and unmap one for each start would interrupt all processors each time.
static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static struct el_spawn_block *kept;
static int kept_count;

static struct el_spawn_block *take_kept(void) {
    pthread_mutex_lock(&kept_lock);
    struct el_spawn_block *block = kept;
    if (block) {
        kept = block->next;
        kept_count--;
    }
    pthread_mutex_unlock(&kept_lock);
    return block;
}

static size_t block_offset(size_t bytes) {
    return (bytes - sizeof(struct el_spawn_block)) & ~(size_t)63;
}

static struct el_spawn_block *make_block(void) {
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = guard + STACK_BYTES;
    char *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) return NULL;
    mprotect(mapping, guard, PROT_NONE);
    struct el_spawn_block *block = (struct el_spawn_block *)(mapping + block_offset(bytes));
    block->mapping = mapping;
    block->mapping_bytes = bytes;
    return block;
}

static void give_back(struct el_spawn_block *block) {
    if (block->progress && block->progress != &block->own) {
        munmap(block->progress, sizeof *block->progress);
    }
    block->progress = NULL;
    pthread_mutex_lock(&kept_lock);
    bool is_kept = kept_count < KEPT_BLOCKS_MAX;
    if (is_kept) {
        block->next = kept;
        kept = block;
        kept_count++;
    }
    pthread_mutex_unlock(&kept_lock);
    if (!is_kept) munmap(block->mapping, block->mapping_bytes);
}

// False: there is no memory.
static bool make_progress(struct el_spawn_block *block, bool is_shared) {
    block->own = (struct el_spawn_progress){0};
    block->progress = &block->own;
    if (!is_shared) return true;
    void *page = mmap(NULL, sizeof *block->progress, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return false;
    block->progress = page;
    return true;
}

// MARK: The user

// Changing the user in a child that shares our memory makes us undumpable, which is what keeps that user
// from tracing the child while it still can see our memory. So the flag is put back only when no such
// child is left. The lock is held for moments.
static pthread_mutex_t user_lock = PTHREAD_MUTEX_INITIALIZER;
static int user_changes;
static int dumpable_before;

static void user_change_begins(void) {
    pthread_mutex_lock(&user_lock);
    if (user_changes++ == 0) dumpable_before = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
    pthread_mutex_unlock(&user_lock);
}

static void user_change_ends(void) {
    pthread_mutex_lock(&user_lock);
    // 2 can't be asked for; it is also what the kernel has then left there.
    if (--user_changes == 0 && (dumpable_before == 0 || dumpable_before == 1)) {
        prctl(PR_SET_DUMPABLE, dumpable_before, 0, 0, 0);
    }
    pthread_mutex_unlock(&user_lock);
}

// MARK: Making the child

// What the kernel, or a filter before it, says of a call or flags that it doesn't know.
static bool is_refusal(int error) {
    return error == ENOSYS || error == EPERM || error == EINVAL || error == E2BIG;
}

static bool is_cgroups_fault(int error) {
    return error == EACCES || error == EBUSY || error == ENODEV || error == ENOENT ||
           error == EOPNOTSUPP || error == EBADF;
}

// The child's number, or -errno.
static int clone_child(struct el_spawn_block *block, int *pidfd) {
    const struct el_spawn_request *request = &block->request;
    const unsigned flags = CLONE_PIDFD | (request->flags & EL_SPAWN_OWN_MEMORY ? 0 : CLONE_VM);
    // The child's stack ends where the block begins.
    size_t guard = block->mapping_bytes - STACK_BYTES;
    char *stack = (char *)block->mapping + guard;
    size_t size = (size_t)((char *)block - stack) & ~(size_t)63;
    if (request->cgroup >= 0 && !(request->flags & EL_SPAWN_ENTER_CGROUP)) {
        struct clone3_arguments arguments = {
            .flags = flags | INTO_CGROUP,
            .pidfd = (uint64_t)(uintptr_t)pidfd,
            .exit_signal = SIGCHLD,
            .stack = (uint64_t)(uintptr_t)stack,
            .stack_size = size,
            .cgroup = (uint64_t)request->cgroup,
        };
        block->is_in_cgroup = true;
        int pid = (int)clone3_run(&arguments, sizeof arguments, el_spawn_run_child, block);
        if (pid >= 0 || !is_refusal(-pid)) return pid;
        block->is_in_cgroup = false;
    }
    int pid = clone(el_spawn_run_child, stack + size, (int)(flags | SIGCHLD), block, pidfd);
    return pid < 0 ? -errno : pid;
}

// Linux before 5.3, and Valgrind, have no pidfd_open; they tell a clone's pidfd all the same.
static bool has_pidfd_open(void) {
    int own = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (own < 0) return errno != ENOSYS;
    close(own);
    return true;
}

static int fork_child(struct el_spawn_block *block, int *pidfd) {
    if (!has_pidfd_open()) {
        // A fork, but for the pidfd: on the caller's stack, in a copy of its memory.
        int pid = (int)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, pidfd, NULL, NULL);
        if (pid == 0) el_spawn_run_child(block);
        return pid < 0 ? -errno : pid;
    }
    int pid = fork();
    if (pid == 0) el_spawn_run_child(block);
    if (pid < 0) return -errno;
    *pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (*pidfd >= 0) return pid;
    int error = errno;
    // It has hardly begun, and is ours alone: it ends at once.
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return -error;
}

static int make_child(struct el_spawn_block *block, int *pidfd) {
    uint32_t *flags = &block->request.flags;
    if (!HAS_RAW_CALLS) *flags |= EL_SPAWN_OWN_MEMORY;
    bool by_fork = *flags & EL_SPAWN_BY_FORK;
    if (!make_progress(block, by_fork || (*flags & EL_SPAWN_OWN_MEMORY))) return -ENOMEM;
    if (!by_fork) {
        block->changes_user =
            (*flags & EL_SPAWN_CHANGE_USER) && !(*flags & EL_SPAWN_OWN_MEMORY);
        if (block->changes_user) user_change_begins();
        int pid = clone_child(block, pidfd);
        if (pid >= 0) return pid;
        if (block->changes_user) user_change_ends();
        block->changes_user = false;
        if (!is_refusal(-pid)) return pid;
        if (block->progress == &block->own && !make_progress(block, true)) return -ENOMEM;
    }
    return fork_child(block, pidfd);
}

int el_spawn_begin(const struct el_spawn_request *request, struct el_spawned *spawned,
                   bool *is_about_cgroup) {
    *is_about_cgroup = false;
    int report[2];
    if (pipe2(report, O_CLOEXEC | O_NONBLOCK) < 0) return -errno;
    struct el_spawn_block *block = take_kept();
    if (!block) block = make_block();
    int pid = -ENOMEM;
    int pidfd = -1;
    if (block) {
        block->request = *request;
        block->progress = NULL;
        block->report = report[1];
        block->is_in_cgroup = false;
        block->changes_user = false;
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pid = make_child(block, &pidfd);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    close(report[1]);
    if (pid < 0) {
        close(report[0]);
        if (!block) return pid;
        *is_about_cgroup = block->is_in_cgroup && is_cgroups_fault(-pid);
        give_back(block);
        return pid;
    }
    *spawned = (struct el_spawned){block, pid, pidfd, report[0]};
    return 0;
}

struct el_spawn_progress el_spawn_progress(const struct el_spawn_block *block) {
    const struct el_spawn_progress *progress = block->progress;
    struct el_spawn_progress copy = {0};
    copy.has_failed = __atomic_load_n(&progress->has_failed, __ATOMIC_ACQUIRE);
    copy.is_born = __atomic_load_n(&progress->is_born, __ATOMIC_RELAXED);
    copy.step = __atomic_load_n(&progress->step, __ATOMIC_RELAXED);
    copy.candidate = __atomic_load_n(&progress->candidate, __ATOMIC_RELAXED);
    if (!copy.has_failed) return copy;
    copy.error = __atomic_load_n(&progress->error, __ATOMIC_RELAXED);
    copy.exists = progress->exists;
    copy.is_directory = progress->is_directory;
    return copy;
}

void el_spawn_end(struct el_spawn_block *block) {
    if (block->changes_user) user_change_ends();
    give_back(block);
}
