-- Pipes one process into another through a channel, as `seq 1 100000 | sort -r | head` would,
-- and counts what passes by.
local exec = require("exec")
local executor = exec.get("process:native")

local function start(command)
    local process = executor:exec(command)
    process:start()
    return process
end

local seq = start("seq 1 100000")
local sort = start("sort -r")

-- No more than 16 pieces are on their way: a slow reader slows the writer, and memory stays.
local pipe = channel.new(16)

coroutine.spawn(function()
    local out = seq:stdout_stream()
    for piece in function() return out:read() end do
        pipe:send(piece)
    end
    pipe:close()
end)

local passed = 0
local finished = channel.new()
coroutine.spawn(function()
    for piece in function() return (pipe:receive()) end do
        passed = passed + #piece
        assert(sort:write_stdin(piece))
    end
    assert(sort:close_stdin())
    finished:send(true)
end)

local out = sort:stdout_stream()
local pieces = {}
for piece in function() return out:read() end do
    pieces[#pieces + 1] = piece
end
local sorted = table.concat(pieces)
finished:receive()

print(passed .. " bytes went in, " .. #sorted .. " came out, first " .. sorted:match("%d+"))
assert(passed == 588895 and #sorted == passed)
assert(sorted:sub(1, 12) == "99999\n99998\n")
assert(seq:wait() == 0 and sort:wait() == 0)
