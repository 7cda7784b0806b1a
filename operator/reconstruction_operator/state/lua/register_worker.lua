-- Register a worker, and the queues that it consumes. Returns the id of the epoch, or an empty text.
local worker_key, workers_key, draining_key, epoch_key = unpack(KEYS)
local node, ttl_ms, json = unpack(ARGV)

redis.call('DEL', draining_key)  -- of a predecessor of the same name; first, for a full Redis: see `put` of the prelude
if redis.call('TYPE', workers_key).ok ~= 'zset' then redis.call('DEL', workers_key) end
local now = now_ms()
redis.call('SET', worker_key, json, 'PX', ttl_ms)
redis.call('ZADD', workers_key, digits(now + tonumber(ttl_ms)), node)
redis.call('ZREMRANGEBYSCORE', workers_key, '-inf', digits(now))  -- registrations that have expired
return epoch_at(epoch_key) or ''
