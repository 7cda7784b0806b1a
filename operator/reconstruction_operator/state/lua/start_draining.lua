-- Announce that a worker shuts down, and gives up its attempts after this time. The first announcement of a process counts.
local draining_key = unpack(KEYS)
local life, after_ms, ttl_ms = unpack(ARGV)

if fields_at(draining_key, 'life')[1] ~= life then
  put(draining_key, ttl_ms, {life = life, at = digits(now_ms() + tonumber(after_ms))})
end
return false
