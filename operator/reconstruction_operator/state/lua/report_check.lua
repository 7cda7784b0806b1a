-- Report the result of a preflight. Returns nothing. Reports that no operator reads expire.
local checked_key = unpack(KEYS)
local ttl_ms, job_id, json = unpack(ARGV)

if redis.call('TYPE', checked_key).ok ~= 'hash' then redis.call('DEL', checked_key) end
redis.call('HSET', checked_key, job_id, json)
redis.call('PEXPIRE', checked_key, ttl_ms)
return false
