-- End a leg that no worker has begun, so that none ever begins it: its stage runs on another queue. Returns {'ok'}.
local _, job_key = unpack(KEYS)
local _, attempt, number, next_leg = unpack(ARGV)

local job = job_at(job_key)
if job.wanted == tonumber(attempt) and not job.outcome and not job.token and job.leg_number == tonumber(number) then
  redis.call('HDEL', job_key, 'sent_at')
  redis.call('HSET', job_key, 'leg', next_leg)
end
return {'ok'}
