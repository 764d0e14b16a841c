// Channels: values from coroutine to coroutine. They live in Lua alone; the host only knows who waits.
#include "bridge.h"

/// Values in order, in a table of Lua's, from `head` up to but not including `tail`.
typedef struct {
    lua_Integer head, tail;
} queue;

/// A channel's user values: one table for each queue, and one for the outcomes.
enum {
    /// What was sent and waits to be received.
    VALUES = 1,
    /// Who waits to send, each followed by the value.
    SENDERS,
    /// Who waits to receive.
    RECEIVERS,
    /// For each that was let go, by its number: whether it came to be, then the value.
    OUTCOMES,
};

typedef struct {
    lua_Integer capacity;
    queue queues[3];
    bool is_closed;
} channel;

static lua_Integer count(const channel *channel, int which) {
    return channel->queues[which - 1].tail - channel->queues[which - 1].head;
}

/// Adds the value at the top of the stack to a queue, and pops it.
static void append(lua_State *L, int index, channel *channel, int which) {
    index = lua_absindex(L, index);
    queue *queue = &channel->queues[which - 1];
    lua_getiuservalue(L, index, which);
    lua_insert(L, -2);
    lua_rawseti(L, -2, queue->tail);
    queue->tail++;
    lua_pop(L, 1);
}

/// Pushes the first value of a queue, which leaves it.
static void take(lua_State *L, int index, channel *channel, int which) {
    index = lua_absindex(L, index);
    queue *queue = &channel->queues[which - 1];
    lua_getiuservalue(L, index, which);
    lua_rawgeti(L, -1, queue->head);
    lua_pushnil(L);
    lua_rawseti(L, -3, queue->head);
    queue->head++;
    lua_remove(L, -2);
}

/// Lets a coroutine go on, with the value at the top of the stack, which is popped.
static void let_go(lua_State *L, int index, int64_t coroutine, bool came_to_be) {
    index = lua_absindex(L, index);
    lua_getiuservalue(L, index, OUTCOMES);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 2 * coroutine + 1);
    lua_pushboolean(L, came_to_be);
    lua_rawseti(L, -2, 2 * coroutine);
    lua_pop(L, 1);
    elua_host *host = HOST(L);
    host->unpark(host->context, coroutine);
}

/// Pushes the outcome for a coroutine: the value. Answers whether what it waited for came to be.
static bool take_outcome(lua_State *L, int index, int64_t coroutine) {
    index = lua_absindex(L, index);
    lua_getiuservalue(L, index, OUTCOMES);
    lua_rawgeti(L, -1, 2 * coroutine);
    const bool came_to_be = lua_toboolean(L, -1);
    lua_pop(L, 1);
    lua_rawgeti(L, -1, 2 * coroutine + 1);
    for (int part = 0; part < 2; part++) {
        lua_pushnil(L);
        lua_rawseti(L, -3, 2 * coroutine + part);
    }
    lua_remove(L, -2);
    return came_to_be;
}

static int make(lua_State *L) {
    const lua_Integer capacity = luaL_optinteger(L, 1, 0);
    luaL_argcheck(L, capacity >= 0, 1, "a capacity is 0 or more");
    channel *made = lua_newuserdatauv(L, sizeof *made, OUTCOMES);
    *made = (channel){ .capacity = capacity };
    for (int which = VALUES; which <= OUTCOMES; which++) {
        lua_newtable(L);
        lua_setiuservalue(L, -2, which);
    }
    luaL_setmetatable(L, CHANNEL_TYPE);
    return 1;
}

// MARK: send

static int refuse(lua_State *L) { return luaL_error(L, "the channel is closed"); }

// Stack: channel, value, own number.
static int sent(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    elua_resumed(L);
    if (!take_outcome(L, 1, lua_tointeger(L, 3))) return refuse(L);
    lua_pushboolean(L, true);
    return 1;
}

static int send(lua_State *L) {
    elua_host *host = HOST(L);
    channel *channel = luaL_checkudata(L, 1, CHANNEL_TYPE);
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    if (channel->is_closed) return refuse(L);
    if (count(channel, RECEIVERS) > 0) {
        take(L, 1, channel, RECEIVERS);
        const int64_t receiver = lua_tointeger(L, -1);
        lua_pushvalue(L, 2);
        let_go(L, 1, receiver, true);
    } else if (count(channel, VALUES) < channel->capacity) {
        append(L, 1, channel, VALUES);
    } else {
        elua_check_obstacle(L, host);
        lua_pushinteger(L, host->park(host->context, L, "send"));
        lua_pushvalue(L, 3);
        append(L, 1, channel, SENDERS);
        lua_pushvalue(L, 2);
        append(L, 1, channel, SENDERS);
        return elua_suspend(L, sent);
    }
    lua_pushboolean(L, true);
    return 1;
}

// MARK: receive

// Stack: channel, own number.
static int received(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    elua_resumed(L);
    const bool came_to_be = take_outcome(L, 1, lua_tointeger(L, 2));
    lua_pushboolean(L, came_to_be);
    return 2;
}

/// Takes the first that waits to send off the queue: pushes its value, and lets it go.
static void take_sent(lua_State *L, channel *channel) {
    take(L, 1, channel, SENDERS);
    take(L, 1, channel, SENDERS);
    lua_pushnil(L);
    let_go(L, 1, lua_tointeger(L, -3), true);
    lua_remove(L, -2);
}

static int receive(lua_State *L) {
    elua_host *host = HOST(L);
    channel *channel = luaL_checkudata(L, 1, CHANNEL_TYPE);
    lua_settop(L, 1);
    if (count(channel, VALUES) > 0) {
        take(L, 1, channel, VALUES);
        if (count(channel, SENDERS) > 0) {
            take_sent(L, channel);
            append(L, 1, channel, VALUES);
        }
        lua_pushboolean(L, true);
    } else if (count(channel, SENDERS) > 0) {
        take_sent(L, channel);
        lua_pushboolean(L, true);
    } else if (channel->is_closed) {
        lua_pushnil(L);
        lua_pushboolean(L, false);
    } else {
        elua_check_obstacle(L, host);
        lua_pushinteger(L, host->park(host->context, L, "receive"));
        lua_pushvalue(L, 2);
        append(L, 1, channel, RECEIVERS);
        return elua_suspend(L, received);
    }
    return 2;
}

// MARK: close

static int close(lua_State *L) {
    channel *channel = luaL_checkudata(L, 1, CHANNEL_TYPE);
    lua_settop(L, 1);
    channel->is_closed = true;
    while (count(channel, RECEIVERS) > 0) {
        take(L, 1, channel, RECEIVERS);
        lua_pushnil(L);
        let_go(L, 1, lua_tointeger(L, -2), false);
        lua_settop(L, 1);
    }
    while (count(channel, SENDERS) > 0) {
        take(L, 1, channel, SENDERS);
        take(L, 1, channel, SENDERS);
        lua_pushnil(L);
        let_go(L, 1, lua_tointeger(L, -3), false);
        lua_settop(L, 1);
    }
    lua_pushboolean(L, true);
    return 1;
}

void elua_install_channels(lua_State *L) {
    const int host = lua_gettop(L);
    static const luaL_Reg functions[] = { { "new", make }, { NULL, NULL } };
    static const luaL_Reg methods[] = {
        { "send", send }, { "receive", receive }, { "close", close }, { NULL, NULL },
    };
    static const luaL_Reg metamethods[] = { { "__close", close }, { NULL, NULL } };
    elua_make_type(L, host, CHANNEL_TYPE, methods, metamethods);
    elua_push_functions(L, host, functions);
    lua_pushvalue(L, -1);
    lua_setglobal(L, "channel");
    elua_add_module(L, "channel");
    lua_settop(L, host);
}
