// Starting a process. See spawn.c for how.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Where a start failed. Kernel's SpawnFailure.Step has the same numbers.
enum el_spawn_step {
    EL_SPAWN_CLONE = 1,
    EL_SPAWN_SESSION = 2,
    EL_SPAWN_TERMINAL = 3,
    EL_SPAWN_DESCRIPTORS = 4,
    EL_SPAWN_DIRECTORY = 5,
    EL_SPAWN_LIMITS = 6,
    EL_SPAWN_GROUPS = 7,
    EL_SPAWN_USER = 8,
    EL_SPAWN_EXECUTE = 9,
    EL_SPAWN_CGROUP = 10,
};

enum {
    /// Make stdin the new session's controlling terminal.
    EL_SPAWN_CONTROLLING_TERMINAL = 1 << 0,
    /// Take on `uid`, `gid` and `groups`.
    EL_SPAWN_CHANGE_USER = 1 << 1,
    /// Do without CLONE_VM and CLONE_PIDFD, as on a kernel that refuses them.
    EL_SPAWN_BY_FORK = 1 << 2,
};

struct el_spawn_limit {
    uint32_t resource;
    uint64_t soft;
    uint64_t hard;
};

/// What to start. Everything pointed to must outlive the call, no longer.
struct el_spawn_request {
    /// The files to try, in order; ends with NULL.
    char *const *candidates;
    char *const *argv;
    char *const *environment;
    /// NULL: the caller's own.
    const char *directory;
    /// What becomes 0, 1 and 2; any numbers, also among 0, 1 and 2, also equal ones.
    int32_t standard[3];
    uint32_t flags;
    uint32_t uid;
    uint32_t gid;
    const uint32_t *groups;
    size_t group_count;
    const struct el_spawn_limit *limits;
    size_t limit_count;
    /// The open directory of the group (cgroup v2) to be born in; -1: the caller's own.
    int32_t cgroup;
    /// Open directories of further groups (cgroup v1) to enter before anything else.
    const int32_t *v1_cgroups;
    size_t v1_cgroup_count;
};

struct el_spawn_result {
    int32_t pid;
    /// Close-on-exec; the caller's to close.
    int32_t pidfd;
    /// 0, or the `el_spawn_step` that failed; then there is no process and no pidfd.
    int32_t step;
    int32_t error;
    /// The candidate that `error` is about.
    int32_t candidate;
    /// Whether that candidate exists: with ENOENT, its interpreter is what is missing.
    int32_t exists;
};

/// Starts a process in a session of its own, with default signal dispositions, nothing blocked, and
/// no descriptor but the three. Returns when the program runs or the start has failed; a process
/// whose start failed is collected. Safe on any thread.
void el_spawn(const struct el_spawn_request *request, struct el_spawn_result *result);
