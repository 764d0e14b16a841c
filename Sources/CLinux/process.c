// What is done to a process after it was started.
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <malloc.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Newer than the C library's headers.
#define SIGNAL_PROCESS_GROUP (1u << 2)
#define INFO_EXIT (1ull << 3)

struct pidfd_info_v0 {
    uint64_t mask;
    uint64_t cgroup;
    uint32_t pid, tgid, ppid;
    uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    int32_t exit_code;
};
_Static_assert(sizeof(struct pidfd_info_v0) == 64, "PIDFD_INFO_SIZE_VER0");
#define GET_INFO _IOWR(0xFF, 11, struct pidfd_info_v0)

static uint64_t microseconds(struct timeval time) {
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

int el_collect(int pidfd, struct el_end *end) {
    siginfo_t info = {0};
    struct rusage usage = {0};
    *end = (struct el_end){0};
    // The system call takes the usage that the C library's waitid leaves out.
    if (syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED | WNOHANG, &usage) < 0) return -errno;
    if (info.si_pid == 0) return 0;
    end->ended = true;
    end->core_dumped = info.si_code == CLD_DUMPED;
    if (info.si_code == CLD_EXITED) {
        end->code = info.si_status;
    } else {
        end->signal = info.si_status;
    }
    end->user_us = microseconds(usage.ru_utime);
    end->system_us = microseconds(usage.ru_stime);
    end->max_rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
    return 0;
}

int el_end_after_collection(int pidfd, struct el_end *end) {
    struct pidfd_info_v0 info = {.mask = INFO_EXIT};
    *end = (struct el_end){0};
    if (ioctl(pidfd, GET_INFO, &info) < 0) return -errno;
    if (!(info.mask & INFO_EXIT)) return 0;
    end->ended = true;
    if (WIFSIGNALED(info.exit_code)) {
        end->signal = WTERMSIG(info.exit_code);
        end->core_dumped = WCOREDUMP(info.exit_code);
    } else {
        end->code = WEXITSTATUS(info.exit_code);
    }
    return 0;
}

int el_open_process(pid_t pid) {
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : fd;
}

int el_signal_process(int pidfd, int signal) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int el_signal_group(int pidfd, pid_t pid, int signal) {
    // By descriptor first (Linux 6.9): it can't hit a group that reuses the number.
    if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, SIGNAL_PROCESS_GROUP) == 0) return 0;
    if (errno != EINVAL) return -errno;
    return kill(-pid, signal) < 0 ? -errno : 0;
}

int el_peek_ended_child(void) {
    siginfo_t info = {0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0) return -errno;
    return info.si_pid;
}

int el_collect_child(pid_t pid) {
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) < 0) return -errno;
    return info.si_pid;
}

int el_become_subreaper(void) {
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? -errno : 0;
}

void el_return_freed_memory(void) {
    // Set, they no longer grow with the largest block that was freed.
    mallopt(M_MMAP_THRESHOLD, 512 * 1024);
    mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}
