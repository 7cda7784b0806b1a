-- Step two of a cancel: set the confirmation or renew its TTL. Answers {'ok'}.
local fence_key, request_key, cancel_key = unpack(KEYS)
local fence, ttl_s = unpack(ARGV)

local refused = deposed(fence_key, fence)
if refused then return refused end

redis.call('SET', cancel_key, '1', 'EX', ttl_s)
redis.call('DEL', request_key)
return {'ok'}
