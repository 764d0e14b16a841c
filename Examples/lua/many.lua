-- Runs 200 processes at once, each watched by a coroutine of its own.
local exec = require("exec")
local COUNT = 200

local results = channel.new()
local running, most = 0, 0

for number = 1, COUNT do
    coroutine.spawn(function()
        local process = exec.get("process:native"):exec("read go; echo " .. number .. "; exit " .. number % 100)
        process:start()
        running = running + 1
        most = math.max(most, running)
        -- Nobody goes before all are there.
        while running < COUNT and most < COUNT do
            time.sleep("5ms")
        end
        process:write_stdin("go\n")
        local text = process:stdout_stream():read()
        local code = process:wait()
        running = running - 1
        results:send({ number = number, text = text, code = code })
    end)
end

local sum = 0
for _ = 1, COUNT do
    local result = results:receive()
    assert(result.text == result.number .. "\n" and result.code == result.number % 100)
    sum = sum + result.number
end

print(most .. " ran at once; all " .. COUNT .. " have ended as they should")
assert(most == COUNT and sum == COUNT * (COUNT + 1) / 2)
