// Debian's liblua5.4: the language, its standard libraries, and the helpers for those who extend it.
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>
