-- Delete all keys of a job of which nothing runs any more. Answers {'ok', forgotten}.
-- KEYS: fence, records, keys of the job (as many as ARGV says), then claim, alive, end, stop of each attempt.
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
