-- Delete all keys of a job that no longer runs. Returns {'ok', forgotten}.
-- KEYS: fence, records, keys of the job (their number is in ARGV), then claim, alive, end, stop of each attempt.
local _, job_id, job_keys = unpack(ARGV)
local _, records_key = unpack(KEYS)
local first = 3 + tonumber(job_keys)

for index = first, #KEYS, 4 do
  local claimant = token_at(KEYS[index])
  if claimant and token_at(KEYS[index + 1]) == claimant and not end_at(KEYS[index + 2]) then return {'ok', 0} end
end
for index = 3, #KEYS do redis.call('DEL', KEYS[index]) end
redis.pcall('SREM', records_key, job_id)
return {'ok', 1}
