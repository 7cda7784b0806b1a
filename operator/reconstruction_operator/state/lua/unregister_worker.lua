-- Remove the registration of a worker that has shut down. Returns nothing.
local worker_key, workers_key, draining_key = unpack(KEYS)
local node = unpack(ARGV)

redis.call('DEL', worker_key, draining_key)
redis.pcall('ZREM', workers_key, node)
return false
