-- Note that a worker has deleted a job's files, while the operator still has a record of the job. Returns nothing.
local cleaned_key, record_key = unpack(KEYS)
local ttl_ms = unpack(ARGV)

if is_set(record_key) then
  redis.call('DEL', cleaned_key)  -- first, for a full Redis: see `put` of the prelude
  redis.call('SET', cleaned_key, digits(now_ms()), 'PX', ttl_ms)  -- for an operator of the previous version
  note_in_record(record_key, 'cleaned')
end
return false
