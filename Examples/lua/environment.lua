-- Runs commands in another directory and with variables of their own.
local exec = require("exec")
local executor = exec.get("process:native")

local function line(command, options)
    local process = executor:exec(command, options)
    process:start()
    local text = process:stdout_stream():read()
    process:wait()
    return text
end

local text = line('echo "$GREETING from $(pwd)"', {
    work_dir = "/usr",
    env = { GREETING = "hello", ANSWER = 42 },
})
io.write(text)
assert(text == "hello from /usr\n")

-- What is set is set on top of what was there.
assert(line('echo "$ANSWER"', { env = { ANSWER = 42 } }) == "42\n")
assert(line('test -n "$PATH" && echo "still there"') == "still there\n")

-- A directory that is not there is found out at the start.
local process = executor:exec("pwd", { work_dir = "/no/such/directory" })
local ok, message = pcall(process.start, process)
print(message)
assert(not ok and message:find("/no/such/directory", 1, true))
