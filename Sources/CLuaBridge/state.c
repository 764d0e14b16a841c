// A state from its beginning to its end: opening, loading, resuming, closing. Every call is protected.
#include <stdio.h>

#include "bridge.h"

// MARK: Opening

void elua_push_functions(lua_State *L, int host, const luaL_Reg *functions) {
    lua_newtable(L);
    lua_pushvalue(L, host);
    luaL_setfuncs(L, functions, 1);
}

void elua_make_type(
    lua_State *L, int host, const char *name, const luaL_Reg *methods, const luaL_Reg *metamethods) {
    luaL_newmetatable(L, name);
    lua_pushvalue(L, host);
    luaL_setfuncs(L, metamethods, 1);
    elua_push_functions(L, host, methods);
    lua_setfield(L, -2, "__index");
    // So that getmetatable, and what a script could do with it, stays out.
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void elua_add_module(lua_State *L, const char *name) {
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_insert(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

// Stack: host.
static int open_all(lua_State *L) {
    luaL_openlibs(L);
    elua_install_coroutines(L);
    elua_install_require(L);
    elua_install_channels(L);
    elua_install_times(L);
    elua_install_exec(L);
    elua_install_shell(L);
    return 0;
}

lua_State *elua_open(elua_host *host) {
    lua_State *L = luaL_newstate();
    if (L == NULL) return NULL;
    elua_clear_marks(L);
    // No pause between two collections, and a step is a whole one: so each check for garbage is one.
    if (host->collects_always) lua_gc(L, LUA_GCINC, 1, 1000, 100);
    lua_pushcfunction(L, open_all);
    lua_pushlightuserdata(L, host);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK) return L;
    lua_close(L);
    return NULL;
}

void elua_close(lua_State *L) { lua_close(L); }

// MARK: Loading

typedef struct {
    const char *path;
    int count;
    const char *const *arguments;
    lua_State *coroutine;
    int reference;
    elua_load_result result;
} load_request;

// Answers nothing, or the reason why not.
static int load(lua_State *L) {
    load_request *request = lua_touserdata(L, 1);
    lua_createtable(L, request->count, 1);
    lua_pushstring(L, request->path);
    lua_rawseti(L, -2, 0);
    for (int index = 0; index < request->count; index++) {
        lua_pushstring(L, request->arguments[index]);
        lua_rawseti(L, -2, index + 1);
    }
    lua_setglobal(L, "arg");
    lua_State *coroutine = lua_newthread(L);
    const int status = luaL_loadfile(L, request->path);
    if (status != LUA_OK) {
        request->result = status == LUA_ERRFILE ? ELUA_NO_FILE : ELUA_INVALID;
        return 1;
    }
    luaL_checkstack(L, request->count, "too many arguments");
    if (!lua_checkstack(coroutine, request->count + 1)) return luaL_error(L, "too many arguments");
    for (int index = 0; index < request->count; index++) lua_pushstring(L, request->arguments[index]);
    lua_xmove(L, coroutine, request->count + 1);
    elua_own(coroutine);
    request->reference = luaL_ref(L, LUA_REGISTRYINDEX);
    request->coroutine = coroutine;
    request->result = ELUA_LOADED;
    return 0;
}

elua_load_result elua_load(
    lua_State *L, const char *path, int count, const char *const *arguments,
    lua_State **coroutine, int *reference,
    void *context, void (*take)(void *context, const char *text, size_t length)) {
    load_request request = {
        .path = path, .count = count, .arguments = arguments, .result = ELUA_INVALID,
    };
    lua_pushcfunction(L, load);
    lua_pushlightuserdata(L, &request);
    lua_pcall(L, 1, 1, 0);
    if (request.result != ELUA_LOADED) {
        size_t length = 0;
        const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : "";
        take(context, text, length);
    }
    lua_pop(L, 1);
    *coroutine = request.coroutine;
    *reference = request.reference;
    return request.result;
}

// MARK: Resuming

elua_outcome elua_resume(elua_host *host, lua_State *L, lua_State *coroutine) {
    // One that begins has its function and its arguments on the stack, all others have nothing.
    const int arguments = lua_status(coroutine) == LUA_OK ? lua_gettop(coroutine) - 1 : 0;
    int results = 0;
    host->is_running = true;
    const int status = lua_resume(coroutine, L, arguments, &results);
    host->is_running = false;
    if (status == LUA_OK) return ELUA_FINISHED;
    if (status != LUA_YIELD) return ELUA_FAILED;
    if (elua_is_suspended(coroutine)) return ELUA_WAITS;
    lua_pop(coroutine, results);
    return ELUA_YIELDED;
}

bool elua_exit_code(lua_State *coroutine, int64_t *code, const char **type) {
    *code = 0;
    if (lua_gettop(coroutine) == 0 || lua_isnil(coroutine, 1)) return true;
    int is_integer = 0;
    if (lua_type(coroutine, 1) == LUA_TNUMBER) *code = lua_tointegerx(coroutine, 1, &is_integer);
    *type = is_integer ? "integer" : luaL_typename(coroutine, 1);
    return is_integer && *code >= 0 && *code <= 255;
}

// MARK: Failing

typedef struct {
    lua_State *coroutine;
    void *context;
    void (*take)(void *context, const char *text, size_t length);
} failure_request;

static int describe(lua_State *L) {
    const failure_request *request = lua_touserdata(L, 1);
    lua_xmove(request->coroutine, L, 1);
    const char *message = lua_tostring(L, -1);
    if (message == NULL) {
        message = luaL_getmetafield(L, -1, "__tostring") != LUA_TNIL
            ? (lua_pop(L, 1), luaL_tolstring(L, -1, NULL))
            : lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, -1));
    }
    luaL_traceback(L, request->coroutine, message, 0);
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    request->take(request->context, text, length);
    return 0;
}

void elua_failure(
    lua_State *L, lua_State *coroutine,
    void *context, void (*take)(void *context, const char *text, size_t length)) {
    failure_request request = { .coroutine = coroutine, .context = context, .take = take };
    lua_pushcfunction(L, describe);
    lua_pushlightuserdata(L, &request);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK) return;
    static const char unknown[] = "an error that can't be described";
    take(context, unknown, sizeof unknown - 1);
    lua_pop(L, 1);
}

// MARK: Forgetting

static int unreference(lua_State *L) {
    luaL_unref(L, LUA_REGISTRYINDEX, (int)lua_tointeger(L, 1));
    return 0;
}

void elua_forget(elua_host *host, lua_State *L, lua_State *coroutine, int reference) {
    host->barriers++;
    lua_resetthread(coroutine);
    host->barriers--;
    lua_settop(coroutine, 0);
    lua_pushcfunction(L, unreference);
    lua_pushinteger(L, reference);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
}

// MARK: Looking

void elua_position(lua_State *L, char *buffer, size_t size) {
    lua_Debug frame;
    buffer[0] = 0;
    for (int level = 0; lua_getstack(L, level, &frame); level++) {
        lua_getinfo(L, "Sl", &frame);
        if (frame.currentline <= 0) continue;
        snprintf(buffer, size, "%s:%d", frame.short_src, frame.currentline);
        return;
    }
}

void elua_flush(void) { fflush(stdout); }
