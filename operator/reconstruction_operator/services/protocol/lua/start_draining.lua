-- A worker shuts down: after this time its attempts are given up. The first word holds. Answers nothing.
local draining_key = unpack(KEYS)
local after_ms, ttl_ms = unpack(ARGV)

redis.call('SET', draining_key, digits(now_ms() + tonumber(after_ms)), 'PX', ttl_ms, 'NX')
return false
