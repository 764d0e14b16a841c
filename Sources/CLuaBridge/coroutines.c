// Coroutines: those of the scheduler, and the script's own, through which a suspension passes.
#include "bridge.h"

static lua_State *coroutine_argument(lua_State *L) {
    lua_State *coroutine = lua_tothread(L, 1);
    luaL_argexpected(L, coroutine != NULL, 1, "coroutine");
    return coroutine;
}

/// Resumes `coroutine`. Answers how many results it has put on the stack of `L`, or -1 for an error,
/// which is there instead. Where `coroutine` is suspended in a call that waits, so is `L`: then this
/// does not return, and `again` is called when that is over.
static int go(lua_State *L, lua_State *coroutine, int arguments, lua_KFunction again) {
    elua_host *host = HOST(L);
    int results = 0;
    const int barriers = lua_isyieldable(L) ? 0 : 1;
    host->barriers += barriers;
    const int status = lua_resume(coroutine, L, arguments, &results);
    host->barriers -= barriers;
    if (status == LUA_YIELD && elua_is_suspended(coroutine)) return elua_suspend(L, again);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(coroutine, L, 1);
        return -1;
    }
    if (!lua_checkstack(L, results + 1)) {
        lua_pop(coroutine, results);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(coroutine, L, results);
    return results;
}

/// Moves the arguments over. Answers how many, or -1 with the reason on the stack of `L`.
static int pass_arguments(lua_State *L, lua_State *coroutine, int count) {
    if (elua_is_owned(coroutine)) {
        lua_pushliteral(L, "cannot resume a coroutine that was spawned: the scheduler does that");
        return -1;
    }
    if (elua_is_suspended(coroutine)) {
        lua_pushliteral(L, "cannot resume a coroutine that waits in a blocking call");
        return -1;
    }
    if (!lua_checkstack(coroutine, count)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    lua_xmove(L, coroutine, count);
    return count;
}

// MARK: coroutine.resume

static int resumed(lua_State *L, int results) {
    const int values = results < 0 ? 1 : results;
    lua_pushboolean(L, results >= 0);
    lua_insert(L, -(values + 1));
    return values + 1;
}

static int resume_again(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    elua_resumed(L);
    return resumed(L, go(L, lua_tothread(L, 1), 0, resume_again));
}

static int resume(lua_State *L) {
    lua_State *coroutine = coroutine_argument(L);
    const int arguments = pass_arguments(L, coroutine, lua_gettop(L) - 1);
    return resumed(L, arguments < 0 ? -1 : go(L, coroutine, arguments, resume_again));
}

// MARK: coroutine.wrap

/// As in the standard library, an error is raised again, with the position of who called; what the
/// coroutine has left open is closed first, which may replace the error.
static int unwrapped(lua_State *L, lua_State *coroutine, int results) {
    if (results >= 0) return results;
    const int status = lua_status(coroutine);
    if (status != LUA_OK && status != LUA_YIELD) {
        HOST(L)->barriers++;
        lua_resetthread(coroutine);
        HOST(L)->barriers--;
        lua_xmove(coroutine, L, 1);
    }
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int wrapped_again(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    elua_resumed(L);
    lua_State *coroutine = lua_tothread(L, lua_upvalueindex(2));
    return unwrapped(L, coroutine, go(L, coroutine, 0, wrapped_again));
}

static int wrapped(lua_State *L) {
    lua_State *coroutine = lua_tothread(L, lua_upvalueindex(2));
    const int arguments = pass_arguments(L, coroutine, lua_gettop(L));
    if (arguments < 0) return luaL_error(L, "%s", lua_tostring(L, -1));
    return unwrapped(L, coroutine, go(L, coroutine, arguments, wrapped_again));
}

static int wrap(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_State *coroutine = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, coroutine, 1);
    lua_pushcclosure(L, wrapped, 2);
    return 1;
}

// MARK: coroutine.close

// Its second upvalue is the standard library's function.
static int close(lua_State *L) {
    elua_host *host = HOST(L);
    lua_State *coroutine = coroutine_argument(L);
    if (elua_is_owned(coroutine) || elua_is_suspended(coroutine))
        return luaL_error(L, "cannot close a coroutine that the scheduler runs");
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_insert(L, 1);
    // Nothing that it closes can wait: nobody resumes it any more.
    host->barriers++;
    const int status = lua_pcall(L, 1, LUA_MULTRET, 0);
    host->barriers--;
    return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

// MARK: coroutine.spawn

static int spawn(lua_State *L) {
    elua_host *host = HOST(L);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    if (!host->is_running) return luaL_error(L, "nothing can be spawned once the script has ended");
    const int count = lua_gettop(L);
    lua_State *coroutine = lua_newthread(L);
    lua_insert(L, 1);
    if (!lua_checkstack(coroutine, count)) return luaL_error(L, "too many arguments to spawn");
    lua_pushvalue(L, 1);
    const int reference = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_xmove(L, coroutine, count);
    elua_own(coroutine);
    char position[LUA_IDSIZE + 16];
    elua_position(L, position, sizeof position);
    host->spawn(host->context, coroutine, reference, position);
    return 1;
}

void elua_install_coroutines(lua_State *L) {
    const int host = lua_gettop(L);
    static const luaL_Reg functions[] = {
        { "resume", resume }, { "wrap", wrap }, { "spawn", spawn }, { NULL, NULL },
    };
    lua_getglobal(L, LUA_COLIBNAME);
    lua_pushvalue(L, host);
    luaL_setfuncs(L, functions, 1);
    lua_pushvalue(L, host);
    lua_getfield(L, -2, "close");
    lua_pushcclosure(L, close, 2);
    lua_setfield(L, -2, "close");
    lua_settop(L, host);
}
