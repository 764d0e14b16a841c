// `os.execute` and `io.popen` as in the standard library, but what they run has no signal blocked, dies
// of a broken pipe, and gets no descriptor of others. The script's thread has all signals blocked, this
// program ignores SIGPIPE, and system() and popen() would hand both on.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridge.h"

/// What `io.popen` returns: a file of Lua's, and whom to wait for.
typedef struct {
    luaL_Stream stream;
    pid_t pid;
} pipe_stream;

/// Starts `sh -c command`, with `descriptor` as its `target` unless that is negative. Answers an error
/// number, or 0.
static int start(const char *command, int descriptor, int target, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) return error;
    posix_spawnattr_t attributes;
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        // What the program ignored from its beginning, as under nohup, stays ignored.
        sigset_t none, defaults;
        sigemptyset(&none);
        sigemptyset(&defaults);
        sigaddset(&defaults, SIGPIPE);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &defaults);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        if (descriptor >= 0)
            error = posix_spawn_file_actions_adddup2(&actions, descriptor, target);
        if (error == 0) {
            char *const argv[] = { "sh", "-c", "--", (char *)command, NULL };
            error = posix_spawn(pid, "/bin/sh", &actions, &attributes, argv, environ);
        }
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/// Waits for its end. Answers its status; -1 with errno where somebody else has taken that.
static int await_end(pid_t pid) {
    int status = -1;
    while (waitpid(pid, &status, 0) == -1)
        if (errno != EINTR) return -1;
    errno = 0;
    return status;
}

static int execute(lua_State *L) {
    const char *command = luaL_optstring(L, 1, NULL);
    if (command == NULL) {
        lua_pushboolean(L, access("/bin/sh", X_OK) == 0);
        return 1;
    }
    pid_t pid;
    errno = start(command, -1, -1, &pid);
    return luaL_execresult(L, errno == 0 ? await_end(pid) : -1);
}

static int close_pipe(lua_State *L) {
    pipe_stream *pipe = luaL_checkudata(L, 1, LUA_FILEHANDLE);
    // As pclose does: what it returned counts, not whether the last bytes were taken.
    fclose(pipe->stream.f);
    return luaL_execresult(L, await_end(pipe->pid));
}

/// Starts the command, with a pipe; false with errno.
static bool open_pipe(const char *command, bool reads, pipe_stream *pipe) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    const int ours = ends[reads ? 0 : 1], theirs = ends[reads ? 1 : 0];
    FILE *file = fdopen(ours, reads ? "r" : "w");
    int error = file == NULL ? errno : start(command, theirs, reads ? 1 : 0, &pipe->pid);
    close(theirs);
    if (error == 0) {
        pipe->stream.f = file;
        pipe->stream.closef = close_pipe;
        return true;
    }
    if (file == NULL) close(ours); else fclose(file);
    errno = error;
    return false;
}

static int popen_file(lua_State *L) {
    const char *command = luaL_checkstring(L, 1);
    const char *mode = luaL_optstring(L, 2, "r");
    const bool reads = mode[0] == 'r';
    luaL_argcheck(L, (reads || mode[0] == 'w') && mode[1] == 0, 2, "invalid mode");
    pipe_stream *pipe = lua_newuserdatauv(L, sizeof *pipe, 0);
    // To Lua it is a closed file until there is one.
    *pipe = (pipe_stream){ 0 };
    luaL_setmetatable(L, LUA_FILEHANDLE);
    fflush(NULL);
    return open_pipe(command, reads, pipe) ? 1 : luaL_fileresult(L, 0, command);
}

/// Replaces a function of a standard library.
static void replace(lua_State *L, const char *library, const char *name, lua_CFunction function) {
    lua_getglobal(L, library);
    lua_pushcfunction(L, function);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

void elua_install_shell(lua_State *L) {
    replace(L, LUA_OSLIBNAME, "execute", execute);
    replace(L, LUA_IOLIBNAME, "popen", popen_file);
}
