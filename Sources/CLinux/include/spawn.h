// Starting a process. See spawn.c for how.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// What a start is doing, or where it failed. Kernel's SpawnFailure.Step has the same numbers.
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
    /// Do without CLONE_VM: the child gets a copy of the memory. For a cgroup with a memory limit, where
    /// the kernel may kill whoever shares the memory of a process that exceeds the limit.
    EL_SPAWN_OWN_MEMORY = 1 << 3,
    /// The child enters its cgroup by `cgroup.procs` instead of being born in it.
    EL_SPAWN_ENTER_CGROUP = 1 << 4,
};

struct el_spawn_limit {
    uint32_t resource;
    uint64_t soft;
    uint64_t hard;
};

/// What to start. Everything pointed to must stay as it is until `el_spawn_end`.
struct el_spawn_request {
    /// The files to try, in order; ends with NULL.
    char *const *candidates;
    char *const *argv;
    char *const *environment;
    /// NULL: the caller's own.
    const char *directory;
    /// What becomes 0, 1 and 2; any numbers, also among 0, 1 and 2, also equal ones. They and the
    /// directories of the cgroups may be closed once `el_spawn_begin` has returned.
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
    /// For tests: the child waits before `hang_step` until this descriptor can be read; -1: it does not.
    int32_t hang;
    int32_t hang_step;
};

/// How far a child has come. It writes this while the caller may read it.
struct el_spawn_progress {
    /// 0: the child has not run a single instruction.
    int32_t is_born;
    /// The `el_spawn_step` that it is taking or that has failed.
    int32_t step;
    /// 1: `step` has failed with `error`.
    int32_t has_failed;
    int32_t error;
    /// The candidate that is being tried, or that `error` is about.
    int32_t candidate;
    /// Whether that candidate exists: with ENOENT, its interpreter is missing.
    int32_t exists;
    /// With EACCES: the candidate is a directory.
    int32_t is_directory;
};

struct el_spawn_block;

/// A child that was made, and that may not have run its program yet.
struct el_spawned {
    /// To be given back by `el_spawn_end`.
    struct el_spawn_block *block;
    int32_t pid;
    /// Close-on-exec; the caller's to close.
    int32_t pidfd;
    /// At its end once the child runs its program or has ended: from then on it uses none of the caller's
    /// memory. Close-on-exec and non-blocking; the caller's to close.
    int32_t report;
};

/// Begins to start a process in a session of its own, with default signal dispositions, nothing
/// blocked, and no descriptor but the three. Never waits for the child. Answers -errno where there is no
/// child; with `*is_about_cgroup` the cgroup is why. Safe on any thread.
int el_spawn_begin(const struct el_spawn_request *request, struct el_spawned *spawned,
                   bool *is_about_cgroup);

/// How far the child has come; exact once `report` is at its end.
struct el_spawn_progress el_spawn_progress(const struct el_spawn_block *block);

/// Gives back what the start has used. Only once `report` is at its end.
void el_spawn_end(struct el_spawn_block *block);
