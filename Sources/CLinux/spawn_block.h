// What a child of a start and its parent share. See spawn.c.
#pragma once

#include "spawn.h"

/// At the upper end of a mapping of its own; below it lies the child's stack, and below that a guard page.
struct el_spawn_block {
    struct el_spawn_request request;
    /// `own`, or a page of its own that a child with a copy of the memory shares.
    struct el_spawn_progress *progress;
    struct el_spawn_progress own;
    /// The child's end of the report pipe.
    int report;
    /// The child was born in its cgroup.
    bool is_in_cgroup;
    bool changes_user;
    void *mapping;
    size_t mapping_bytes;
    /// The next block that is kept to be used again.
    struct el_spawn_block *next;
};

/// What the child does, from its first instruction to its program. `block` is its `el_spawn_block`.
int el_spawn_run_child(void *block);
