-- Step one of a cancel: set the request or renew its TTL; nothing once the cancel is confirmed. Answers {'ok'}.
local fence_key, request_key, cancel_key = unpack(KEYS)
local fence, ttl_s = unpack(ARGV)

local refused = deposed(fence_key, fence)
if refused then return refused end

if not is_set(cancel_key) then redis.call('SET', request_key, 'pending', 'EX', ttl_s) end
return {'ok'}
