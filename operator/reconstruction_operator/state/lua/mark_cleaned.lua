-- A worker has deleted the files of a job that the operator still has a record of. Answers nothing.
local cleaned_key, record_key = unpack(KEYS)
local ttl_ms = unpack(ARGV)

if is_set(record_key) then
  redis.call('SET', cleaned_key, cjson.encode({at = now_ms()}), 'PX', ttl_ms)
end
return false
