// The limit of the exec rate: starts a command with two pipes, reads both to their ends, waits for
// it; COUNT times, in AT_ONCE threads.
//
//   spawn COUNT AT_ONCE COMMAND [ARG]...
//
// Prints one line of JSON.
#include "../Tools/common.h"

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>

enum { AT_ONCE_MAX = 64 };

extern char **environ;

static char **command;

static void read_to_end(int fd) {
    char bytes[4096];
    ssize_t count;
    while ((count = read(fd, bytes, sizeof bytes)) > 0) {}
    if (count < 0) err(1, "reading");
    close(fd);
}

static void run_one(void) {
    posix_spawn_file_actions_t actions;
    int out[2], error[2], failure, status;
    pid_t pid;
    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(error, O_CLOEXEC) < 0) err(1, "pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, error[1], 2);
    failure = posix_spawn(&pid, command[0], &actions, NULL, command, environ);
    if (failure != 0) errx(1, "%s: %s", command[0], strerror(failure));
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(error[1]);
    read_to_end(out[0]);
    read_to_end(error[0]);
    if (waitpid(pid, &status, 0) < 0 || status != 0) errx(1, "the command failed");
}

static void *run_many(void *count) {
    for (int64_t i = 0; i < *(int64_t *)count; i++) run_one();
    return NULL;
}

int main(int words_count, char **words) {
    if (words_count < 4) errx(2, "usage: spawn COUNT AT_ONCE COMMAND [ARG]...");
    int64_t count = parse_count(words[1]), at_once = parse_count(words[2]);
    if (at_once > AT_ONCE_MAX) errx(2, "at most %d at once", AT_ONCE_MAX);
    int64_t each = count / at_once;
    command = words + 3;
    int64_t began = now_ns();
    pthread_t threads[AT_ONCE_MAX];
    for (int i = 1; i < at_once; i++)
        if (pthread_create(&threads[i], NULL, run_many, &each) != 0) errx(1, "no thread");
    run_many(&each);
    for (int i = 1; i < at_once; i++) pthread_join(threads[i], NULL);
    printf("{\"count\": %lld, \"seconds\": %.6f, \"cpu_us\": %lld}\n",
        (long long)(each * at_once), (double)(now_ns() - began) / 1e9, (long long)cpu_us());
}
