-- Fencing token: comes before each script of the operator, as its first key and argument. For a leader that has had a successor,
-- the script changes nothing and returns {'deposed', the successor's fence}. A new leader's first script raises the fence.

local held = redis.pcall('GET', KEYS[1])
local seen = type(held) == 'string' and whole(held, 0, 2000000000) or -1  -- a Lease counts its transitions in an int32
local fence = tonumber(ARGV[1])
if fence < seen then return {'deposed', digits(seen)} end
if fence > seen then
  redis.call('DEL', KEYS[1])  -- so that a full Redis does not refuse what follows
  redis.call('SET', KEYS[1], digits(fence))
end

