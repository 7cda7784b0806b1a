-- A worker shuts down: after this time its attempts are given up. The first word of its life holds. Answers nothing.
local draining_key = unpack(KEYS)
local life, after_ms, ttl_ms = unpack(ARGV)

local said = object_at(draining_key)
if not said or said.life ~= life then
  redis.call('SET', draining_key, cjson.encode({life = life, at = now_ms() + tonumber(after_ms)}), 'PX', ttl_ms)
end
return false
