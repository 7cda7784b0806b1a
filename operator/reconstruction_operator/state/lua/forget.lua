-- Delete the keys of a job that no longer runs. Returns {'ok', forgotten}.
-- KEYS: fence, records, keys of the job (their number is in ARGV), then claim, alive, end, stop of each attempt.
local _, job_id, job_keys = unpack(ARGV)
local _, records_key = unpack(KEYS)
local first = 3 + tonumber(job_keys)

local stay = {}  -- claims of silent workers with the ends that were forced on them: such a worker may return, and its run must stop
for index = first, #KEYS, 4 do
  local claimant, ended, recorder = token_at(KEYS[index]), end_at(KEYS[index + 2])
  if claimant and not ended and token_at(KEYS[index + 1]) == claimant then return {'ok', 0} end
  stay[index] = claimant and ended and recorder ~= claimant
  stay[index + 2] = stay[index]
end
for index = 3, #KEYS do
  if not stay[index] then redis.call('DEL', KEYS[index]) end
end
redis.pcall('SREM', records_key, job_id)
return {'ok', 1}
