-- A run needs no more help. Returns {helpers that are still there, CPU time in ms, bytes read and bytes written
-- of those that have left}; without any, the parts are forgotten.
local parts_key = unpack(KEYS)
local run, lost_ms = unpack(ARGV)

if fields_at(parts_key, 'run')[1] ~= run then return {0, 0, 0, 0} end
redis.call('HSET', parts_key, 'closed', '1')
local helpers, flat = 0, redis.call('HGETALL', parts_key)
for place = 1, #flat, 2 do
  local heard = string.find(flat[place], '^h') and time_of(string.match(flat[place + 1], '^(%d+) '))
  if heard and now_ms() - heard < tonumber(lost_ms) then helpers = helpers + 1 end
end
local used = {}
for place, text in ipairs(fields_at(parts_key, 'cpu_ms', 'read_bytes', 'written_bytes')) do
  used[place] = whole(text or nil, 0, 1e14) or 0
end
if helpers == 0 then redis.call('DEL', parts_key) end
return {helpers, unpack(used)}
