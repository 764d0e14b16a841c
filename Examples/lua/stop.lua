-- Ends processes: by a signal that they handle, by one that they don't, and by closing them.
local exec = require("exec")
local executor = exec.get("process:native")

local HUP, TERM = 1, 15

local function start(command)
    local process = executor:exec(command)
    process:start()
    -- From here on it listens.
    assert(process:stdout_stream():read() == "up\n")
    return process
end

-- A signal that the process handles.
local polite = start("trap 'echo bye; exit 5' HUP; echo up; while :; do sleep 0.1; done")
assert(polite:signal(HUP))
local out = polite:stdout_stream()
assert(out:read() == "bye\n")
local code, message, exit = polite:wait()
print("after SIGHUP: " .. code .. ", " .. exit.reason)
assert(code == 5 and exit.reason == "natural")

-- A signal that kills it. Once it has finished there is nobody to signal.
local killed = start("echo up; exec sleep 1000")
assert(killed:signal(TERM))
assert(killed:stdout_stream():read() == nil)
code, message, exit = killed:wait()
print("after SIGTERM: " .. code .. ", " .. exit.reason)
assert(code == 143 and exit.reason == "signal" and exit.signal == TERM)
local sent, why = killed:signal(TERM)
assert(sent == nil and why == "the process is closed")

-- close() asks it to end, and does not wait for that; close(true) does not ask.
for _, force in ipairs({ false, true }) do
    local process = start("echo up; exec sleep 1000")
    local results = channel.new(1)
    coroutine.spawn(function() results:send({ process:wait() }) end)
    coroutine.yield() -- it waits now
    assert(process:close(force))
    assert(process:close(force)) -- any number of times
    code = results:receive()[1]
    print("after close(" .. tostring(force) .. "): " .. code)
    assert(code == (force and 137 or 143))
end
