-- Step two of a cancel: set the confirmation or renew its TTL. Returns {'ok'}.
local _, request_key, cancel_key = unpack(KEYS)
local _, ttl_s = unpack(ARGV)

redis.call('DEL', request_key)  -- first, for a full Redis: see `put` of the prelude
redis.call('SET', cancel_key, '1', 'EX', ttl_s)
return {'ok'}
