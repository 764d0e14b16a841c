// `time`, and the end of the script by `os.exit`.
#include <time.h>

#include "bridge.h"

elua_time elua_check_time(lua_State *L, int index) {
    elua_time time = { 0 };
    if (lua_type(L, index) == LUA_TSTRING) {
        time.text.bytes = lua_tolstring(L, index, &time.text.length);
    } else {
        luaL_argexpected(L, lua_type(L, index) == LUA_TNUMBER, index, "seconds, or a time such as \"1s\"");
        time.seconds = lua_tonumber(L, index);
    }
    return time;
}

static int sleep(lua_State *L) {
    elua_host *host = HOST(L);
    const elua_time time = elua_check_time(L, 1);
    elua_check_obstacle(L, host);
    return elua_settle(L, host->sleep(host->context, L, &time));
}

static int now(lua_State *L) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    lua_pushnumber(L, (lua_Number)time.tv_sec + (lua_Number)time.tv_nsec / 1e9);
    return 1;
}

static int never(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    return luaL_error(L, "the script has ended");
}

// The standard library's would end the program at once, with its processes running.
static int end(lua_State *L) {
    elua_host *host = HOST(L);
    const lua_Integer code = lua_isnoneornil(L, 1) ? 0
        : lua_isboolean(L, 1)                      ? !lua_toboolean(L, 1)
                                                   : luaL_checkinteger(L, 1);
    luaL_argcheck(L, code >= 0 && code <= 255, 1, "an exit code is 0 to 255");
    elua_check_obstacle(L, host);
    host->exit(host->context, code);
    return elua_suspend(L, never);
}

void elua_install_times(lua_State *L) {
    const int host = lua_gettop(L);
    static const luaL_Reg functions[] = { { "sleep", sleep }, { "now", now }, { NULL, NULL } };
    elua_push_functions(L, host, functions);
    lua_pushvalue(L, -1);
    lua_setglobal(L, "time");
    elua_add_module(L, "time");
    lua_getglobal(L, LUA_OSLIBNAME);
    lua_pushvalue(L, host);
    lua_pushcclosure(L, end, 1);
    lua_setfield(L, -2, "exit");
    lua_settop(L, host);
}
