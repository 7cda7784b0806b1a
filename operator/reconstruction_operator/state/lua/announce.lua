-- Keep the announcement of a worker's models. Returns nothing.
local models_key = unpack(KEYS)
local ttl_ms, json = unpack(ARGV)

redis.call('DEL', models_key)  -- first, for a full Redis: see `put` of the prelude
redis.call('SET', models_key, json, 'PX', ttl_ms)
return false
