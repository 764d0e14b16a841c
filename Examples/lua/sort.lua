-- Sends text through `sort`: stdin in, stdout out.
local exec = require("exec")

local sort = exec.get("process:native"):exec("sort")
sort:start()

for _, fruit in ipairs({ "cherry", "apple", "banana" }) do
    assert(sort:write_stdin(fruit .. "\n"))
end
-- sort writes nothing before its stdin has ended.
assert(sort:close_stdin())

local sorted = sort:stdout_stream():read()
local code = sort:wait()

io.write(sorted)
assert(sorted == "apple\nbanana\ncherry\n")
assert(code == 0)
