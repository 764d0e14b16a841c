// The one place where Lua and Swift meet. Lua's functions are C and stay here; what they do is
// Swift's. Nothing is decided here but the shape of arguments and results.
//
// The boundary. An error in Lua is a longjmp, and so is a yield. Both may only pass over frames of C:
// one of Swift that is jumped over never lets go of what it holds. Therefore:
//
//   1. From Lua to Swift. Each function of the module is C. It checks its arguments (and may raise),
//      then calls the host with plain values. The host returns an *answer*, and only then, with no
//      frame of Swift left, does C return, raise or yield.
//   2. While the host is called, it may use the `elua_push_...` functions, and nothing else that is
//      given a lua_State. They run protected: they answer false where there is no memory, and never
//      jump.
//   3. From Swift to Lua. Every function that is declared here runs protected. None jumps.
//   4. Whatever is pushed may collect garbage, and so run finalizers, which may call the host. So the
//      host pushes last, when it holds on to nothing that such a call could change.
//      The same holds within the bridge: between two steps that must fit together (a count and what is
//      filled by it, two calls of lua_next) nothing may allocate. lua_rawset, lua_rawseti and lua_next
//      run no finalizers; lua_push(f)string, lua_tolstring of a number, and all that makes an object may.
//   5. A lua_State and its host belong to one thread. Nothing here locks.
//
// Suspending. A function that has to wait is answered ELUA_SUSPEND, and yields. A yield goes to
// whoever resumed the coroutine; where that is another coroutine of the script (coroutine.resume,
// coroutine.wrap), it is passed on, up to the scheduler. Once the host has what was waited for, it
// resumes the outermost one; each resumes the next, and the innermost asks the host for the answer
// (`finish`). Whatever can't be yielded from (the comparison of table.sort, a finalizer) is found
// out before the host is asked for anything: elua_obstacle.
//
// Each coroutine has a byte of marks in its extra space: whether the scheduler owns it, and whether it
// is suspended in such a function. Nobody but its owner may resume it then.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct lua_State lua_State;

// MARK: What the host is asked

/// How many values the host has pushed, or one of these.
enum {
    /// A message was pushed: raise it.
    ELUA_RAISE = -1,
    /// The running coroutine waits.
    ELUA_SUSPEND = -2,
    /// A value could not be pushed.
    ELUA_NO_MEMORY = -3,
};

/// Bytes that live as long as the call; without a pointer, nothing was given.
typedef struct {
    const char *bytes;
    size_t length;
} elua_text;

/// A time as a script gives it: as text ("1s"), or in seconds.
typedef struct {
    elua_text text;
    double seconds;
} elua_time;

/// What `executor:exec` was given.
typedef struct {
    elua_text command;
    elua_text work_dir;
    /// Name, value, name, value.
    const elua_text *environment;
    size_t environment_count;
    bool has_timeout;
    elua_time timeout;
    bool without_stdin;
    bool has_terminal;
    int64_t rows;
    int64_t columns;
    elua_text term;
} elua_command;

/// The kinds of object that the host makes.
typedef enum { ELUA_EXECUTOR, ELUA_PROCESS } elua_kind;

/// The other side. `context` is passed to each function; those that answer are given the coroutine
/// that called.
typedef struct elua_host {
    void *context;

    /// The answer that a resumed coroutine waited for.
    int (*finish)(void *context, lua_State *L);

    // The scheduler.
    /// A coroutine is to run; it has its function and arguments on its stack. `reference` keeps it.
    void (*spawn)(void *context, lua_State *coroutine, int reference, const char *position);
    /// The running coroutine waits on a channel, in `L`, until it is unparked. Answers who it is.
    int64_t (*park)(void *context, lua_State *L, const char *what);
    void (*unpark)(void *context, int64_t coroutine);
    int (*sleep)(void *context, lua_State *L, const elua_time *time);
    /// The script ends with `code` once this coroutine yields.
    void (*exit)(void *context, int64_t code);

    // The module `exec`. An object is named by its number.
    int (*get)(void *context, lua_State *L, elua_text resource);
    int (*attach)(
        void *context, lua_State *L, elua_text container, elua_text exec, elua_text resource);
    int (*make)(void *context, lua_State *L, int64_t executor, const elua_command *command);
    int (*release)(void *context, lua_State *L, int64_t executor);
    int (*start)(void *context, lua_State *L, int64_t process);
    int (*wait)(void *context, lua_State *L, int64_t process);
    int (*signal)(void *context, lua_State *L, int64_t process, int64_t number);
    int (*close)(void *context, lua_State *L, int64_t process, bool force);
    int (*info)(void *context, lua_State *L, int64_t process);
    int (*resize)(void *context, lua_State *L, int64_t process, int64_t rows, int64_t columns);
    int (*write_stdin)(void *context, lua_State *L, int64_t process, elua_text data);
    int (*close_stdin)(void *context, lua_State *L, int64_t process);
    /// Whether the process may be asked for a stream: answers one value, or raises.
    int (*open_stream)(void *context, lua_State *L, int64_t process, bool is_stderr);
    /// `max` is 0 where there is no limit.
    int (*read)(void *context, lua_State *L, int64_t process, bool is_stderr, int64_t max);
    int (*close_stream)(void *context, lua_State *L, int64_t process, bool is_stderr);
    /// No script can name the object any more. Called while garbage is collected: pushes nothing.
    void (*collected)(void *context, elua_kind kind, int64_t object);

    /// Garbage is collected whenever that is possible, and finalizers run then: for tests.
    bool collects_always;

    /// The bridge's own. A coroutine is being resumed by the host.
    bool is_running;
    /// The bridge's own. How many calls are under way that can't be yielded across.
    int barriers;
} elua_host;

// MARK: For the host, while it is called

bool elua_push_nil(lua_State *L);
bool elua_push_boolean(lua_State *L, bool value);
bool elua_push_integer(lua_State *L, int64_t value);
bool elua_push_number(lua_State *L, double value);
/// Copies the bytes into a string of Lua's.
bool elua_push_bytes(lua_State *L, const void *bytes, size_t length);
bool elua_push_object(lua_State *L, elua_kind kind, int64_t object);
bool elua_push_table(lua_State *L);
/// Sets the field of the table below the topmost value to that value, and pops it.
bool elua_set_field(lua_State *L, const char *name);
/// The same for the table's element at `index`.
bool elua_set_element(lua_State *L, int64_t index);

// MARK: For the scheduler

/// A new state, with the standard libraries and the module; NULL where there is no memory. The host
/// must outlive it.
lua_State *elua_open(elua_host *host);
/// Ends it; finalizers run.
void elua_close(lua_State *L);

typedef enum { ELUA_LOADED, ELUA_NO_FILE, ELUA_INVALID } elua_load_result;

/// Loads a script, with its arguments, as a new coroutine that has not begun. Otherwise `take` is
/// given the reason before this returns.
elua_load_result elua_load(
    lua_State *L, const char *path, int count, const char *const *arguments,
    lua_State **coroutine, int *reference,
    void *context, void (*take)(void *context, const char *text, size_t length));

typedef enum {
    /// It returned; its values are on its stack.
    ELUA_FINISHED,
    /// It waits for an answer of the host's.
    ELUA_WAITS,
    /// It called coroutine.yield, to let others run.
    ELUA_YIELDED,
    ELUA_FAILED,
} elua_outcome;

/// Runs a coroutine on until it can go no further.
elua_outcome elua_resume(elua_host *host, lua_State *L, lua_State *coroutine);

/// What a script that has returned says of the program's exit code; false: it is nothing that could
/// be one, and `type` is what it is.
bool elua_exit_code(lua_State *coroutine, int64_t *code, const char **type);

/// Gives `take` the error of a coroutine that has failed, with a traceback.
void elua_failure(
    lua_State *L, lua_State *coroutine,
    void *context, void (*take)(void *context, const char *text, size_t length));

/// Closes what the coroutine has left open, and forgets it.
void elua_forget(elua_host *host, lua_State *L, lua_State *coroutine, int reference);

/// "script.lua:12" of the innermost function of Lua's that is running in `L`; empty where there is
/// none. Always ends with a NUL.
void elua_position(lua_State *L, char *buffer, size_t size);

/// Hands what the script has printed to the system.
void elua_flush(void);
