-- Delete the request of a cancel, never a confirmation. Answers {'ok'}.
local fence_key, request_key = unpack(KEYS)
local refused = deposed(fence_key, ARGV[1])
if refused then return refused end
redis.call('DEL', request_key)
return {'ok'}
