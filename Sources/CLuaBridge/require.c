// `require` as in the standard library, but a module's own code may wait while it is loaded.
#include "bridge.h"

// Stack: name, table of what is loaded, what the searcher passed on, what the module returned.
static int loaded(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    if (!lua_isnil(L, 4)) {
        lua_pushvalue(L, 1);
        lua_insert(L, 4);
        lua_rawset(L, 2);
    } else {
        lua_pop(L, 1);
    }
    lua_pushvalue(L, 1);
    if (lua_rawget(L, 2) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_pushboolean(L, true);
        lua_pushvalue(L, 1);
        lua_pushvalue(L, -2);
        lua_rawset(L, 2);
    }
    lua_pushvalue(L, 3);
    return 2;
}

/// Leaves the loader and what its searcher passes on at the top; raises where nobody knows the module.
static void find_loader(lua_State *L, const char *name) {
    const int searchers = lua_gettop(L) + 1;
    if (lua_getfield(L, lua_upvalueindex(2), "searchers") != LUA_TTABLE)
        luaL_error(L, "'package.searchers' must be a table");
    // What each of those that did not find it has to say.
    lua_pushliteral(L, "");
    for (lua_Integer index = 1;; index++) {
        if (lua_rawgeti(L, searchers, index) == LUA_TNIL)
            luaL_error(L, "module '%s' not found:%s", name, lua_tostring(L, searchers + 1));
        lua_pushvalue(L, 1);
        lua_call(L, 1, 2);
        if (lua_isfunction(L, -2)) return;
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TSTRING) {
            lua_pushliteral(L, "\n\t");
            lua_insert(L, -2);
            lua_concat(L, 3);
        } else {
            lua_pop(L, 1);
        }
    }
}

// Its second upvalue is the table `package`.
static int require(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushvalue(L, 1);
    lua_rawget(L, 2);
    if (lua_toboolean(L, -1)) return 1;
    lua_pop(L, 1);
    find_loader(L, name);
    // Name, loaded, searchers, text, loader, what is passed on: to name, loaded, what is passed on, and
    // the loader with its arguments.
    lua_pushvalue(L, -1);
    lua_replace(L, 3);
    lua_remove(L, 4);
    lua_pushvalue(L, 1);
    lua_insert(L, 5);
    lua_callk(L, 2, 1, 0, loaded);
    return loaded(L, LUA_OK, 0);
}

void elua_install_require(lua_State *L) {
    const int host = lua_gettop(L);
    lua_pushvalue(L, host);
    lua_getglobal(L, LUA_LOADLIBNAME);
    lua_pushcclosure(L, require, 2);
    lua_setglobal(L, "require");
    lua_settop(L, host);
}
