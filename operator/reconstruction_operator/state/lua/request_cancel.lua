-- Step one of a cancel: set the request or renew its TTL; without effect once the cancel is confirmed. Returns {'ok'}.
local _, request_key, cancel_key = unpack(KEYS)
local _, ttl_s = unpack(ARGV)

if not is_set(cancel_key) then
  redis.call('DEL', request_key)  -- first, for a full Redis: see `put` of the prelude
  redis.call('SET', request_key, 'pending', 'EX', ttl_s)
end
return {'ok'}
