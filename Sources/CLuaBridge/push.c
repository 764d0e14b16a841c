// Values from the host: each is pushed in a call of its own, so that nothing jumps over the host.
#include "bridge.h"

/// What one protected call is to do.
typedef struct {
    const char *bytes;
    size_t length;
    elua_kind kind;
    int64_t integer;
} request;

/// Calls `function` with the request, and above it `arguments` values from the top of the stack.
static bool protect(lua_State *L, lua_CFunction function, request *request, int arguments, int results) {
    if (!lua_checkstack(L, 3)) return false;
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, request);
    // Below the arguments, which are where they are.
    lua_rotate(L, -(arguments + 2), 2);
    if (lua_pcall(L, arguments + 1, results, 0) == LUA_OK) return true;
    lua_pop(L, 1);
    return false;
}

bool elua_push_nil(lua_State *L) {
    if (!lua_checkstack(L, 1)) return false;
    lua_pushnil(L);
    return true;
}

bool elua_push_boolean(lua_State *L, bool value) {
    if (!lua_checkstack(L, 1)) return false;
    lua_pushboolean(L, value);
    return true;
}

bool elua_push_integer(lua_State *L, int64_t value) {
    if (!lua_checkstack(L, 1)) return false;
    lua_pushinteger(L, value);
    return true;
}

bool elua_push_number(lua_State *L, double value) {
    if (!lua_checkstack(L, 1)) return false;
    lua_pushnumber(L, value);
    return true;
}

static int push_bytes(lua_State *L) {
    const request *request = lua_touserdata(L, 1);
    lua_pushlstring(L, request->bytes, request->length);
    return 1;
}

bool elua_push_bytes(lua_State *L, const void *bytes, size_t length) {
    request request = { .bytes = length > 0 ? bytes : "", .length = length };
    return protect(L, push_bytes, &request, 0, 1);
}

static int push_object(lua_State *L) {
    const request *request = lua_touserdata(L, 1);
    elua_object *object = lua_newuserdatauv(L, sizeof *object, request->kind == ELUA_PROCESS ? 2 : 0);
    object->number = request->integer;
    luaL_setmetatable(L, request->kind == ELUA_PROCESS ? PROCESS_TYPE : EXECUTOR_TYPE);
    return 1;
}

bool elua_push_object(lua_State *L, elua_kind kind, int64_t number) {
    request request = { .kind = kind, .integer = number };
    return protect(L, push_object, &request, 0, 1);
}

static int push_table(lua_State *L) {
    lua_newtable(L);
    return 1;
}

bool elua_push_table(lua_State *L) {
    request request = { 0 };
    return protect(L, push_table, &request, 0, 1);
}

// Request, table, value.
static int set_field(lua_State *L) {
    const request *request = lua_touserdata(L, 1);
    lua_pushlstring(L, request->bytes, request->length);
    lua_insert(L, -2);
    lua_rawset(L, 2);
    return 1;
}

static int set_element(lua_State *L) {
    const request *request = lua_touserdata(L, 1);
    lua_rawseti(L, 2, request->integer);
    return 1;
}

bool elua_set_field(lua_State *L, const char *name) {
    request request = { .bytes = name };
    while (name[request.length] != 0) request.length++;
    return protect(L, set_field, &request, 2, 1);
}

bool elua_set_element(lua_State *L, int64_t index) {
    request request = { .integer = index };
    return protect(L, set_element, &request, 2, 1);
}
