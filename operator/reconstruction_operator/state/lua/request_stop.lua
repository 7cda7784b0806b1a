-- Ask for the stop of an attempt that has not ended. The first reason holds. Answers {'ok'}.
local fence_key, stop_key, end_key = unpack(KEYS)
local fence, retention_ms, json = unpack(ARGV)

local refused = deposed(fence_key, fence)
if refused then return refused end

if not end_at(end_key) and not stop_at(stop_key) then
  redis.call('SET', stop_key, stamped(json, now_ms()), 'PX', retention_ms)
end
return {'ok'}
