-- LuaSocket: lua sockets.lua MODE PORT. A client ends with an error where an answer is wrong.
local socket = require("socket")
local mode, port = arg[1], tonumber(arg[2])

local modes = {}

-- One coroutine-less loop over select: lines come back upper-case.
function modes.server()
    local listener = assert(socket.bind("127.0.0.1", port, 64))
    local open = { listener }
    while true do
        for _, ready in ipairs((socket.select(open, nil))) do
            if ready == listener then
                local client = listener:accept()
                client:settimeout(10)
                table.insert(open, client)
            else
                local line = ready:receive("*l")
                if line then
                    assert(ready:send(line:upper() .. "\n"))
                else
                    ready:close()
                    for i, one in ipairs(open) do
                        if one == ready then
                            table.remove(open, i)
                        end
                    end
                end
            end
        end
    end
end

-- Ten connections at once, a long line and short ones, a time-out in between.
function modes.client()
    local open = {}
    for i = 1, 10 do
        open[i] = assert(socket.connect("127.0.0.1", port))
        open[i]:setoption("tcp-nodelay", true)
    end
    -- Its sockets are not close-on-exec: a program that is started inherits them, and ends.
    assert(os.execute("exec /bin/true"))
    for turn = 1, 20 do
        for i, one in ipairs(open) do
            assert(one:send(("line %d of %d %s\n"):format(turn, i, ("x"):rep(turn * 300))))
        end
        for i, one in ipairs(open) do
            one:settimeout(10)
            local line = assert(one:receive("*l"))
            assert(line == ("LINE %d OF %d %s"):format(turn, i, ("X"):rep(turn * 300)), "a line differs")
        end
    end
    assert(io.popen("echo from a shell"):read("l") == "from a shell")
    open[1]:settimeout(0.1)
    local line, problem = open[1]:receive("*l")
    assert(line == nil and problem == "timeout", problem)
    for _, one in ipairs(open) do
        one:shutdown("send")
        one:settimeout(10)
        line, problem = one:receive("*l")
        assert(line == nil and problem == "closed", problem)
    end
end

modes[mode]()
