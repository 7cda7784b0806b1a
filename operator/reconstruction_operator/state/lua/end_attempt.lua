-- End an attempt that no worker has begun, so that none ever begins it, or (`is_lost`) one whose worker is silent.
-- Returns {'ok', the end that counts}, without an end if a worker has the attempt, or another attempt is wanted.
local _, job_key, alive_key, epoch_key = unpack(KEYS)
local _, attempt, is_lost, token, owner, ttl_ms, outcome, details = unpack(ARGV)

local job, mine = job_at(job_key), tonumber(attempt)
local is_wanted = job.wanted == mine
if is_wanted and job.outcome then return {'ok', end_of(job)} end
if is_wanted and job.token and (is_lost == '0' or token_at(alive_key) == job.token) then return {'ok'} end
if job.wanted and job.wanted > mine and job.wanted <= mine + 1e6 then return {'ok'} end

redis.call('DEL', alive_key)  -- first, for a full Redis: see `put` of the prelude
local fields = is_wanted and job.token and {} or claim_of({}, token, owner, epoch_at(epoch_key))
fields.outcome, fields.details, fields.ended_by, fields.ended_at = outcome, details, token, digits(now_ms())
fields.begun = job.begun
if is_wanted then write(job_key, fields) else supersede(job_key, job, attempt, fields) end
if not queue_of(job.queue) then redis.call('PEXPIRE', job_key, ttl_ms) end  -- it has no record, which would be deleted with the job
return {'ok', end_of(fields)}
