// Suspending and what is known about it: the marks of a coroutine, and obstacles.
#include "bridge.h"

enum { OWNED = 1, SUSPENDED = 2 };

// A new coroutine's extra space is a copy of the main one's, in which nothing is ever set. That one's
// is whatever memory it was given.
static unsigned char *marks(lua_State *coroutine) { return lua_getextraspace(coroutine); }

void elua_clear_marks(lua_State *main) { *marks(main) = 0; }

bool elua_is_suspended(lua_State *coroutine) { return *marks(coroutine) & SUSPENDED; }

void elua_own(lua_State *coroutine) { *marks(coroutine) |= OWNED; }

bool elua_is_owned(lua_State *coroutine) { return *marks(coroutine) & OWNED; }

const char *elua_obstacle(lua_State *L, elua_host *host) {
    if (!host->is_running) return "nothing can be waited for once the script has ended";
    if (host->barriers > 0 || !lua_isyieldable(L))
        return "nothing can be waited for here: a function that can't be suspended"
               " (table.sort, string.gsub, a finalizer, ...) is being called";
    return NULL;
}

void elua_check_obstacle(lua_State *L, elua_host *host) {
    const char *obstacle = elua_obstacle(L, host);
    if (obstacle != NULL) luaL_error(L, "%s", obstacle);
}

int elua_suspend(lua_State *L, lua_KFunction continuation) {
    *marks(L) |= SUSPENDED;
    return lua_yieldk(L, 0, 0, continuation);
}

void elua_resumed(lua_State *L) { *marks(L) &= (unsigned char)~SUSPENDED; }

static int finish(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    elua_resumed(L);
    elua_host *host = HOST(L);
    return elua_settle(L, host->finish(host->context, L));
}

int elua_settle(lua_State *L, int answer) {
    switch (answer) {
    case ELUA_SUSPEND:
        return elua_suspend(L, finish);
    case ELUA_NO_MEMORY:
        return luaL_error(L, "not enough memory");
    case ELUA_RAISE:
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
        return lua_error(L);
    default:
        return answer;
    }
}
