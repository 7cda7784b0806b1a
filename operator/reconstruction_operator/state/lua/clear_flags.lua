-- Delete both cancel flags. Returns {'ok'}.
local _, request_key, cancel_key = unpack(KEYS)
redis.call('DEL', request_key, cancel_key)
return {'ok'}
