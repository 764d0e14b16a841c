// What the files of the bridge share.
#pragma once

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "CLuaBridge.h"

/// Every function of the bridge that Lua can call has the host as its first upvalue.
#define HOST(L) ((elua_host *)lua_touserdata(L, lua_upvalueindex(1)))

/// Names of metatables.
#define EXECUTOR_TYPE "exec.executor"
#define PROCESS_TYPE "exec.process"
#define STREAM_TYPE "exec.stream"
#define CHANNEL_TYPE "channel"

/// An executor or a process. A process has two user values: its streams, once asked for.
typedef struct {
    int64_t number;
} elua_object;

// suspend.c

/// Why the running function must not suspend now; NULL: it may.
const char *elua_obstacle(lua_State *L, elua_host *host);
/// Raises the obstacle, if there is one.
void elua_check_obstacle(lua_State *L, elua_host *host);
/// Does what the host has answered: returns, raises, or suspends until there is another answer.
int elua_settle(lua_State *L, int answer);
/// Yields to the scheduler; what follows is `continuation`, which calls `elua_resumed` first.
int elua_suspend(lua_State *L, lua_KFunction continuation);
void elua_resumed(lua_State *L);
bool elua_is_suspended(lua_State *coroutine);
/// To be called for a new state, before there is any coroutine.
void elua_clear_marks(lua_State *main);
/// Marks a coroutine as the scheduler's.
void elua_own(lua_State *coroutine);
bool elua_is_owned(lua_State *coroutine);

// times.c

/// The argument at `index`: seconds, or a text that the host reads. Raises for anything else.
elua_time elua_check_time(lua_State *L, int index);

// Each installs a part of what scripts see. The host is at the top of the stack, and stays there.
void elua_install_coroutines(lua_State *L);
void elua_install_require(lua_State *L);
void elua_install_channels(lua_State *L);
void elua_install_times(lua_State *L);
void elua_install_exec(lua_State *L);
void elua_install_shell(lua_State *L);

/// Pushes a table of functions that have the host at `host` as their upvalue.
void elua_push_functions(lua_State *L, int host, const luaL_Reg *functions);
/// Makes the metatable of a type of object, with methods and metamethods.
void elua_make_type(
    lua_State *L, int host, const char *name, const luaL_Reg *methods, const luaL_Reg *metamethods);
/// Makes the table at the top of the stack a module that can be required, and pops it.
void elua_add_module(lua_State *L, const char *name);
