-- A delivery asks whether it may run. Returns {code, cancelled, stop}.
local job_key, alive_key, cancel_key, epoch_key = unpack(KEYS)
local token, worker, attempt, task_ttl_ms, alive_ttl_ms, leg = unpack(ARGV)

local job, is_bare = job_at(job_key), attempt == ''
if not is_bare and job.wanted ~= tonumber(attempt) then return {(job.wanted or job.gone) and 'unwanted' or 'no-record'} end
-- The message of a leg that has ended, or of one that Redis has lost with newer data.
if job.leg_number ~= leg_of(leg) then return {'unwanted'} end
if job.outcome then return {'duplicate'} end
if job.token and job.token ~= token then
  -- A bare task has no operator that would repeat it: its next delivery does, once its worker is silent.
  if not is_bare or token_at(alive_key) == job.token then return {'duplicate'} end
end

keep_alive(alive_key, alive_ttl_ms, token)
if job.token ~= token then
  local claim = claim_of(job, token, worker, epoch_at(epoch_key))
  if is_bare then put(job_key, task_ttl_ms, claim) else write(job_key, claim) end
end
return {'claimed', is_set(cancel_key) and 1 or 0, job.stop or ''}
