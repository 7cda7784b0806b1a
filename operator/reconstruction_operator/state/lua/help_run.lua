-- Claim and heartbeat of a worker that helps a run. Returns {owned, cancelled, stop, drain_at, stage}.
local job_key, alive_key, cancel_key, draining_key, parts_key = unpack(KEYS)
local run, helper, worker, life, ttl_ms = unpack(ARGV)

local job = job_at(job_key)
local of_run, stage, closed = unpack(fields_at(parts_key, 'run', 'stage', 'closed'))
local owned = job.token == run and not job.outcome and token_at(alive_key) == run and of_run == run and not closed
if owned then
  redis.call('HSET', parts_key, 'h' .. helper, digits(now_ms()) .. ' ' .. worker)
  redis.call('PEXPIRE', parts_key, ttl_ms)
end
local drains, drain_at = unpack(fields_at(draining_key, 'life', 'at'))
return {
  owned and 1 or 0,
  is_set(cancel_key) and 1 or 0,
  job.token == run and job.stop or '',
  drains == life and time_of(drain_at) and drain_at or '',
  owned and stage or '',
}
