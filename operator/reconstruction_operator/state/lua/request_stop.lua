-- Ask for the stop of an attempt that has not ended. The first reason holds. Returns {'ok'}.
local _, job_key = unpack(KEYS)
local _, attempt, reason = unpack(ARGV)

local job = job_at(job_key)
if job.wanted == tonumber(attempt) and not job.outcome and not job.stop then
  redis.call('HDEL', job_key, 'stop')  -- first, for a full Redis: see `put` of the prelude
  redis.call('HSET', job_key, 'stop', reason)
end
return {'ok'}
