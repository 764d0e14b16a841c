// Scripts in Lua that run processes: the language on one side, `ExecClient` on the other.
//
// What may live here: the scheduler of a script's coroutines, what the module's functions do, the
// resources that a script can name, and the server that it embeds. What may not: what an exec is and
// how it ends (the server's), printing and exit codes (the program's), and anything that is given a
// lua_State other than the bridge's functions; CLuaBridge.h says why.
