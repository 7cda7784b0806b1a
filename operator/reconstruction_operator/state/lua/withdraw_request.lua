-- Delete the request of a cancel, never a confirmation. Returns {'ok'}.
local _, request_key = unpack(KEYS)
redis.call('DEL', request_key)
return {'ok'}
