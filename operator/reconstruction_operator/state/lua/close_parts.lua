-- A run needs no more help. Returns {helpers that are still there, their CPU time in ms}; without any, the parts are forgotten.
local parts_key = unpack(KEYS)
local run, lost_ms = unpack(ARGV)

if fields_at(parts_key, 'run')[1] ~= run then return {0, 0} end
redis.call('HSET', parts_key, 'closed', '1')
local helpers, flat = 0, redis.call('HGETALL', parts_key)
for place = 1, #flat, 2 do
  local heard = string.find(flat[place], '^h') and time_of(string.match(flat[place + 1], '^(%d+) '))
  if heard and now_ms() - heard < tonumber(lost_ms) then helpers = helpers + 1 end
end
local cpu_ms = whole(fields_at(parts_key, 'cpu_ms')[1], 0, 1e14) or 0
if helpers == 0 then redis.call('DEL', parts_key) end
return {helpers, cpu_ms}
