-- The one point where success, failure and cancel are decided. Returns {code, end}.
local job_key, alive_key, cancel_key, request_key, epoch_key = unpack(KEYS)
local token, worker, attempt, task_ttl_ms, outcome, details, has_deleted, leg = unpack(ARGV)

local job, is_bare = job_at(job_key), attempt == ''
if not is_bare and job.wanted ~= tonumber(attempt) then return {'superseded'} end
if job.outcome then return {job.ended_by == token and 'already' or 'superseded', end_of(job)} end
if (job.token and job.token ~= token) or job.leg_number > leg_of(leg) then return {'superseded'} end
if outcome ~= 'Cancelled' and is_set(cancel_key) then return {'cancelled'} end

-- A bare task has no operator that would repeat it: its message goes back to the queue, for any worker.
if is_bare and outcome == 'Stopped' then
  redis.call('DEL', job_key, alive_key)
  return {'released'}
end

redis.call('DEL', alive_key, unpack(outcome == 'Succeeded' and {cancel_key, request_key} or {}))
-- The note of an earlier clean-up does not cover the files of this attempt.
if job.cleaned or job.deleted then redis.call('HDEL', job_key, 'cleaned', 'deleted') end
local fields = job.token and {} or claim_of(job, token, worker, epoch_at(epoch_key))  -- Redis lost it
fields.outcome, fields.details, fields.ended_by, fields.ended_at = outcome, details, token, digits(now_ms())
fields.deleted = has_deleted == '1' and '1' or nil
if is_bare and not job.token then put(job_key, nil, fields) else write(job_key, fields) end
if is_bare then redis.call('PEXPIRE', job_key, task_ttl_ms) end
return {'recorded', end_of(fields)}
