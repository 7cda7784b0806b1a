-- Delete both cancel flags. Answers {'ok'}.
local fence_key, request_key, cancel_key = unpack(KEYS)
local refused = deposed(fence_key, ARGV[1])
if refused then return refused end
redis.call('DEL', request_key, cancel_key)
return {'ok'}
