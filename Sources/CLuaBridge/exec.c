// The module `exec`: arguments in, answers out.
#include <string.h>

#include "bridge.h"

/// One of a process's streams. Its user value is the process, so that it is not collected before.
typedef struct {
    int64_t process;
    bool is_stderr;
} stream;

static int64_t check_process(lua_State *L) {
    const elua_object *object = luaL_checkudata(L, 1, PROCESS_TYPE);
    return object->number;
}

static elua_text check_text(lua_State *L, int index) {
    elua_text text;
    text.bytes = luaL_checklstring(L, index, &text.length);
    return text;
}

/// What a function that does not raise returns where it can't wait.
static int refuse(lua_State *L, const char *message) {
    lua_pushnil(L);
    lua_pushstring(L, message);
    return 2;
}

// MARK: exec

static int get(lua_State *L) {
    elua_host *host = HOST(L);
    const elua_text resource = check_text(L, 1);
    elua_check_obstacle(L, host);
    return elua_settle(L, host->get(host->context, L, resource));
}

static int attach(lua_State *L) {
    elua_host *host = HOST(L);
    const elua_text container = check_text(L, 1);
    const elua_text exec = check_text(L, 2);
    const elua_text resource = lua_isnoneornil(L, 3) ? (elua_text){ 0 } : check_text(L, 3);
    elua_check_obstacle(L, host);
    return elua_settle(L, host->attach(host->context, L, container, exec, resource));
}

// MARK: Executors

static int release(lua_State *L) {
    elua_host *host = HOST(L);
    const elua_object *executor = luaL_checkudata(L, 1, EXECUTOR_TYPE);
    return elua_settle(L, host->release(host->context, L, executor->number));
}

// Where the script has released it already, there is nothing to say.
static int close_executor(lua_State *L) {
    elua_host *host = HOST(L);
    const elua_object *executor = luaL_checkudata(L, 1, EXECUTOR_TYPE);
    host->release(host->context, L, executor->number);
    return 0;
}

static int collect_executor(lua_State *L) {
    elua_host *host = HOST(L);
    const elua_object *executor = luaL_checkudata(L, 1, EXECUTOR_TYPE);
    host->collected(host->context, ELUA_EXECUTOR, executor->number);
    return 0;
}

/// Whether the value at the top is one of these texts. Allocates nothing.
static bool is_one_of(lua_State *L, const char *const *names) {
    if (lua_type(L, -1) != LUA_TSTRING) return false;
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    for (const char *const *name = names; *name != NULL; name++)
        if (strlen(*name) == length && memcmp(*name, text, length) == 0) return true;
    return false;
}

/// Raises unless every option is one of these.
static void check_names(lua_State *L, int index, const char *const *names, const char *what) {
    // Nothing here allocates before it raises: no finalizer can change the table under lua_next.
    for (lua_pushnil(L); lua_next(L, index);) {
        lua_pop(L, 1);
        if (!is_one_of(L, names))
            luaL_error(L, "%s '%s' is not known", what, luaL_tolstring(L, -1, NULL));
    }
}

/// Pushes a field, and raises unless it is nil or of this type.
static bool push_field(lua_State *L, int index, const char *name, int type) {
    lua_getfield(L, index, name);
    if (lua_isnil(L, -1)) return false;
    if (lua_type(L, -1) != type)
        luaL_error(
            L, "option '%s' must be a %s, not a %s", name, lua_typename(L, type), luaL_typename(L, -1));
    return true;
}

/// Pushes a table with the names and values of the `env` at `index`, one after the other. Returns how
/// many elements it has.
static lua_Integer push_environment(lua_State *L, int index) {
    lua_newtable(L);
    const int pairs = lua_gettop(L);
    lua_Integer count = 0;
    for (lua_pushnil(L); lua_next(L, index);) {
        const int type = lua_type(L, -1);
        if (lua_type(L, -2) != LUA_TSTRING) luaL_error(L, "option 'env' has a name that is not a string");
        if (type != LUA_TSTRING && type != LUA_TNUMBER)
            luaL_error(
                L, "option 'env': '%s' must be a string, not a %s", lua_tostring(L, -2),
                lua_typename(L, type));
        lua_rawseti(L, pairs, count + 2);
        lua_pushvalue(L, -1);
        lua_rawseti(L, pairs, count + 1);
        count += 2;
    }
    return count;
}

/// Reads `env`, a table at the top of the stack. What the texts point to stays on the stack.
///
/// Whatever allocates may run finalizers, and these may change `env`. So it is copied first, into a
/// table that no script can name, and the count and the texts are those of the copy.
static void read_environment(lua_State *L, elua_command *command) {
    const lua_Integer count = push_environment(L, lua_gettop(L));
    const int pairs = lua_gettop(L);
    elua_text *texts = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof *texts, 0);
    for (lua_Integer index = 0; index < count; index++) {
        lua_rawgeti(L, pairs, index + 1);
        // A number becomes a new string, which the copy keeps instead.
        texts[index].bytes = lua_tolstring(L, -1, &texts[index].length);
        lua_rawseti(L, pairs, index + 1);
    }
    command->environment = texts;
    command->environment_count = (size_t)count / 2;
}

static int64_t size_field(lua_State *L, int index, const char *name) {
    int64_t size = 0;
    if (push_field(L, index, name, LUA_TNUMBER)) {
        int is_integer;
        size = lua_tointegerx(L, -1, &is_integer);
        if (!is_integer || size < 1 || size > UINT16_MAX)
            luaL_error(L, "option 'tty': '%s' must be 1 to %d", name, UINT16_MAX);
    }
    lua_pop(L, 1);
    return size;
}

/// Reads `tty`, at the top of the stack: true, or a table.
static void read_terminal(lua_State *L, elua_command *command) {
    static const char *const names[] = { "rows", "cols", "term", NULL };
    const int index = lua_gettop(L);
    if (lua_istable(L, index)) {
        check_names(L, index, names, "option 'tty':");
        command->rows = size_field(L, index, "rows");
        command->columns = size_field(L, index, "cols");
        if (push_field(L, index, "term", LUA_TSTRING)) command->term = check_text(L, -1);
    } else if (!lua_isboolean(L, index) && !lua_isnil(L, index)) {
        luaL_error(L, "option 'tty' must be true or a table, not a %s", luaL_typename(L, index));
    }
    command->has_terminal = lua_toboolean(L, index);
}

/// Reads the options at `index`. What the texts point to stays on the stack.
static void read_options(lua_State *L, int index, elua_command *command) {
    static const char *const names[] = { "work_dir", "env", "tty", "timeout", "stdin", NULL };
    check_names(L, index, names, "option");
    if (push_field(L, index, "work_dir", LUA_TSTRING)) command->work_dir = check_text(L, -1);
    if (push_field(L, index, "env", LUA_TTABLE)) read_environment(L, command);
    if (push_field(L, index, "stdin", LUA_TBOOLEAN)) command->without_stdin = !lua_toboolean(L, -1);
    lua_getfield(L, index, "tty");
    read_terminal(L, command);
    lua_getfield(L, index, "timeout");
    if (lua_isnil(L, -1)) return;
    if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER)
        luaL_error(L, "option 'timeout' must be a time, not a %s", luaL_typename(L, -1));
    command->has_timeout = true;
    command->timeout = elua_check_time(L, lua_gettop(L));
}

static int make(lua_State *L) {
    elua_host *host = HOST(L);
    const elua_object *executor = luaL_checkudata(L, 1, EXECUTOR_TYPE);
    elua_command command = { .command = check_text(L, 2) };
    lua_settop(L, 3);
    // For what the options leave on the stack.
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    if (!lua_isnil(L, 3)) {
        luaL_checktype(L, 3, LUA_TTABLE);
        read_options(L, 3, &command);
    }
    return elua_settle(L, host->make(host->context, L, executor->number, &command));
}

// MARK: Processes

static int start(lua_State *L) {
    elua_host *host = HOST(L);
    const int64_t process = check_process(L);
    elua_check_obstacle(L, host);
    return elua_settle(L, host->start(host->context, L, process));
}

/// Defines a function that answers `nil, message` where it fails, and may have to wait.
#define WAITING(name, call)                                              \
    static int name(lua_State *L) {                                      \
        elua_host *host = HOST(L);                                       \
        const int64_t process = check_process(L);                        \
        const char *obstacle = elua_obstacle(L, host);                   \
        if (obstacle != NULL) return refuse(L, obstacle);                \
        return elua_settle(L, (call));                                   \
    }

WAITING(wait, host->wait(host->context, L, process))
WAITING(send_signal, host->signal(host->context, L, process, luaL_checkinteger(L, 2)))
WAITING(info, host->info(host->context, L, process))
WAITING(
    resize,
    host->resize(host->context, L, process, luaL_checkinteger(L, 2), luaL_checkinteger(L, 3)))
WAITING(write_stdin, host->write_stdin(host->context, L, process, check_text(L, 2)))
WAITING(close_stdin, host->close_stdin(host->context, L, process))

static int close_process(lua_State *L) {
    elua_host *host = HOST(L);
    const int64_t process = check_process(L);
    return elua_settle(L, host->close(host->context, L, process, lua_toboolean(L, 2)));
}

// As a to-be-closed variable; its second argument is the error, if there is one.
static int leave_process(lua_State *L) {
    lua_settop(L, 1);
    return close_process(L);
}

static int collect_process(lua_State *L) {
    elua_host *host = HOST(L);
    host->collected(host->context, ELUA_PROCESS, check_process(L));
    return 0;
}

// MARK: Streams

static int process_stream(lua_State *L, bool is_stderr) {
    elua_host *host = HOST(L);
    const int64_t process = check_process(L);
    lua_settop(L, 1);
    // Raises where there is none to be had.
    elua_settle(L, host->open_stream(host->context, L, process, is_stderr));
    const int slot = is_stderr ? 2 : 1;
    if (lua_getiuservalue(L, 1, slot) != LUA_TNIL) return 1;
    stream *made = lua_newuserdatauv(L, sizeof *made, 1);
    *made = (stream){ .process = process, .is_stderr = is_stderr };
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, STREAM_TYPE);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, slot);
    return 1;
}

static int stdout_stream(lua_State *L) { return process_stream(L, false); }

static int stderr_stream(lua_State *L) { return process_stream(L, true); }

static int read_stream(lua_State *L) {
    elua_host *host = HOST(L);
    const stream *stream = luaL_checkudata(L, 1, STREAM_TYPE);
    const lua_Integer max = luaL_optinteger(L, 2, 0);
    luaL_argcheck(L, lua_isnoneornil(L, 2) || max > 0, 2, "a number of bytes is 1 or more");
    const char *obstacle = elua_obstacle(L, host);
    if (obstacle != NULL) return refuse(L, obstacle);
    return elua_settle(
        L, host->read(host->context, L, stream->process, stream->is_stderr, max));
}

static int close_stream(lua_State *L) {
    elua_host *host = HOST(L);
    const stream *stream = luaL_checkudata(L, 1, STREAM_TYPE);
    return elua_settle(
        L, host->close_stream(host->context, L, stream->process, stream->is_stderr));
}

// MARK: All together

void elua_install_exec(lua_State *L) {
    const int host = lua_gettop(L);
    static const luaL_Reg functions[] = { { "get", get }, { "attach", attach }, { NULL, NULL } };
    static const luaL_Reg executor[] = { { "exec", make }, { "release", release }, { NULL, NULL } };
    static const luaL_Reg executor_meta[] = {
        { "__close", close_executor }, { "__gc", collect_executor }, { NULL, NULL },
    };
    static const luaL_Reg process[] = {
        { "start", start },
        { "wait", wait },
        { "signal", send_signal },
        { "close", close_process },
        { "info", info },
        { "resize", resize },
        { "write_stdin", write_stdin },
        { "close_stdin", close_stdin },
        { "stdout_stream", stdout_stream },
        { "stderr_stream", stderr_stream },
        { NULL, NULL },
    };
    static const luaL_Reg process_meta[] = {
        { "__close", leave_process }, { "__gc", collect_process }, { NULL, NULL },
    };
    static const luaL_Reg stream[] = {
        { "read", read_stream }, { "close", close_stream }, { NULL, NULL },
    };
    static const luaL_Reg stream_meta[] = { { "__close", close_stream }, { NULL, NULL } };
    elua_make_type(L, host, EXECUTOR_TYPE, executor, executor_meta);
    elua_make_type(L, host, PROCESS_TYPE, process, process_meta);
    elua_make_type(L, host, STREAM_TYPE, stream, stream_meta);
    elua_push_functions(L, host, functions);
    elua_add_module(L, "exec");
    lua_settop(L, host);
}
