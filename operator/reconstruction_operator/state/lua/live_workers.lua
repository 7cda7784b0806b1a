-- Returns {node, registration, ...} of the workers that accept messages: registered, and not shutting down.
local workers_key = unpack(KEYS)
local worker_prefix, draining_prefix, most, limit_bytes = unpack(ARGV)

local nodes = redis.pcall('ZRANGEBYSCORE', workers_key, digits(now_ms()), '+inf', 'LIMIT', 0, most)
if nodes.err then return {} end
local found = {}
for _, node in ipairs(nodes) do
  local text = redis.pcall('GET', worker_prefix .. node)
  if type(text) == 'string' and #text <= tonumber(limit_bytes) and not is_set(draining_prefix .. node) then
    found[#found + 1] = node
    found[#found + 1] = text
  end
end
return found
