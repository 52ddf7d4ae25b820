-- What wrk sends, as WORKLOAD says, and its result as JSON. PORTS share the connections between them.
local kind = os.getenv("WORKLOAD")
local sessions = tonumber(os.getenv("SESSIONS"))
local context = string.rep("context ", 12)
local json = {["Content-Type"] = "application/json"}
local known = {["If-None-Match"] = '"1"'}
local threads = {}

function setup(thread)
   local ports = {}
   for port in os.getenv("PORTS"):gmatch("%d+") do ports[#ports + 1] = port end
   thread.addr = wrk.lookup("127.0.0.1", ports[#threads % #ports + 1])[1]
   threads[#threads + 1] = thread
   thread:set("seed", #threads)
end

function init()
   math.randomseed(seed + os.time())
end

local function create()
   local body = string.format('{"userId":%d,"context":"%s"}', math.random(10000), context)
   return wrk.format("POST", "/sessions", json, body)
end

-- Updates keep to the upper half, so that the lower stays at its first version.
local half = sessions / 2
local function path(first, last)
   return string.format("/sessions/%d", math.random(first, last))
end

local send = {
   create = create,
   read = function() return wrk.format("GET", path(1, sessions) .. "/context") end,
   ["not modified"] = function() return wrk.format("GET", path(1, half) .. "/context", known) end,
   update = function()
      local body = string.format('{"context":"%s%d"}', context, math.random(1000))
      return wrk.format("PUT", path(half + 1, sessions), json, body)
   end,
   list = function() return wrk.format("GET", "/sessions") end,
   ["first page"] = function() return wrk.format("GET", "/sessions?limit=100") end,
   ["deep page"] = function() return wrk.format("GET", "/sessions?limit=100&after=" .. (sessions - 100)) end,
}
send.mix = function() return math.random(10) == 1 and create() or send.read() end
request = send[kind]

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '{"requests": %d, "seconds": %f, "median_ms": %f, "p99_ms": %f, "errors": %d, "bytes": %d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout, summary.bytes))
end
