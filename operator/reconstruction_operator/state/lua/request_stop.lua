-- Ask for the stop of an attempt that has not ended. The first reason holds. Returns {'ok'}.
local _, stop_key, end_key = unpack(KEYS)
local _, retention_ms, reason = unpack(ARGV)

if not end_at(end_key) and not stop_at(stop_key) then
  put(stop_key, retention_ms, {reason = reason, at = digits(now_ms())})
end
return {'ok'}
