-- Heartbeat of a running attempt, which asks whether it may continue. Returns {owned, cancelled, stop, drain_at}.
local job_key, alive_key, cancel_key, draining_key, epoch_key = unpack(KEYS)
local token, worker, life, attempt, task_ttl_ms, alive_ttl_ms, leg = unpack(ARGV)

local job, mine = job_at(job_key), tonumber(attempt)  -- nil for a bare task
local has_flag = redis.call('EXISTS', cancel_key, draining_key) > 0

local function answer(owned)
  local stop = (not mine or job.wanted == mine) and job.stop or ''
  if not has_flag then return {owned and 1 or 0, 0, stop, ''} end
  -- Ignore a shutdown that another process of the same node name announced.
  local drains, drain_at = unpack(fields_at(draining_key, 'life', 'at'))
  return {
    owned and 1 or 0,
    is_set(cancel_key) and 1 or 0,
    stop,
    drains == life and time_of(drain_at) and drain_at or '',
  }
end

-- The run is superseded: its heartbeat no longer counts.
local function superseded()
  if token_at(alive_key) == token then redis.call('DEL', alive_key) end
  return answer(false)
end

if mine then
  if job.gone or (job.wanted and job.wanted > mine) then return superseded() end
  -- Redis has lost the attempt, and the operator has not restored it yet; or the operator has deleted the job's keys.
  -- Continue, but write nothing that would remain.
  if job.wanted ~= mine then return answer(true) end
end
local number = leg_of(leg)
if job.leg_number > number then return superseded() end  -- this run has ended its leg
if job.leg_number < number then job.token, job.leg = nil, leg end  -- Redis holds older data, of an earlier leg
if job.token and job.token ~= token then return superseded() end
-- A beat after the attempt's own end is harmless, and must not bring it back to life.
if job.outcome then return answer(job.ended_by == token) end

keep_alive(alive_key, alive_ttl_ms, token)
local epoch = epoch_at(epoch_key)
if not job.token or (epoch and job.epoch ~= epoch) then
  local claim = claim_of(job, token, worker, epoch)
  if number > 0 then claim.leg = job.leg end
  if mine then write(job_key, claim) else put(job_key, task_ttl_ms, claim) end
elseif not mine then
  redis.call('PEXPIRE', job_key, task_ttl_ms)
end
return answer(true)
