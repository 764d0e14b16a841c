-- Errors are caught with pcall, and nothing that was acquired meanwhile is left behind.
local exec = require("exec")

-- What can't be got raises.
local ok, message = pcall(exec.get, "process:elsewhere")
print(message)
assert(not ok and message:find("there is no resource", 1, true))

-- A function that fails in the middle. What it declares with <close> is closed on the way out.
local started
local function build()
    local executor <close> = exec.get("process:native")
    local server <close> = executor:exec("echo up; exec sleep 1000")
    server:start()
    started = server
    assert(server:stdout_stream():read() == "up\n")
    error("the build is broken")
end

ok, message = pcall(build)
print(message)
assert(not ok and message:find("the build is broken", 1, true))
-- It is closed, and with that on its way out.
local code, why = started:wait()
assert(code == nil and why == "the process is closed")

-- What is expected to go wrong now and then is no error but a message.
local process = exec.get("process:native"):exec("exit 1", { stdin = false })
process:start()
local written, reason = process:write_stdin("lost")
print(reason)
assert(written == nil and reason == "the process was started without stdin")
assert(process:wait() == 1)

-- A coroutine is a unit of work of its own: what it has acquired is released when it ends.
local handed = channel.new(1)
coroutine.spawn(function()
    local own = exec.get("process:native"):exec("exec sleep 1000")
    own:start()
    handed:send(own)
    coroutine.yield()
end)
local theirs = handed:receive()
local result, _, exit = theirs:wait()
print("a coroutine's process ended with " .. result .. ", because of the " .. exit.cause)
assert(result == 143 and exit.cause == "client")
