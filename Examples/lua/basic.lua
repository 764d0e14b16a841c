-- Runs a command, and tells what it wrote and how it ended.
--
--     execstream lua Examples/lua/basic.lua
local exec = require("exec")

local executor = exec.get("process:native")
local process = executor:exec("echo to stdout; echo to stderr >&2; exit 3")
process:start()

-- A stream gives what is there, in pieces, and nil at its end.
local function all(stream)
    local pieces = {}
    for piece in function() return stream:read() end do
        pieces[#pieces + 1] = piece
    end
    return table.concat(pieces)
end

local out, err = process:stdout_stream(), process:stderr_stream()
local output, errors = all(out), all(err)
local code, message, exit = process:wait()
executor:release()

io.write("stdout: ", output, "stderr: ", errors)
print("ended with " .. code .. ", " .. exit.reason)

assert(output == "to stdout\n" and errors == "to stderr\n")
assert(code == 3 and message == nil and exit.reason == "natural")
