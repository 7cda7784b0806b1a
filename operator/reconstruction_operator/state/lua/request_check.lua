-- Request a preflight from a worker of a pool. Returns {'ok', 1}, or {'ok', 0} if `most` requests wait already.
local _, checks_key = unpack(KEYS)
local _, ttl_ms, most, json = unpack(ARGV)

if redis.call('TYPE', checks_key).ok ~= 'list' then redis.call('DEL', checks_key) end
if redis.call('LLEN', checks_key) >= tonumber(most) then return {'ok', 0} end
redis.call('LPUSH', checks_key, json)
redis.call('PEXPIRE', checks_key, ttl_ms)
return {'ok', 1}
