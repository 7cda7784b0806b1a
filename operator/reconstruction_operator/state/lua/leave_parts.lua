-- A helper makes no more parts for a run; `why` if it has refused or failed. What it has used counts for the run.
-- Returns nothing.
local parts_key = unpack(KEYS)
local run, helper, why, cpu_ms, read_bytes, written_bytes = unpack(ARGV)

if fields_at(parts_key, 'run')[1] == run then
  redis.call('HSET', parts_key, 'h' .. helper, why == '' and 'left' or why)
  redis.call('HINCRBY', parts_key, 'cpu_ms', cpu_ms)
  redis.call('HINCRBY', parts_key, 'read_bytes', read_bytes)
  redis.call('HINCRBY', parts_key, 'written_bytes', written_bytes)
end
return false
