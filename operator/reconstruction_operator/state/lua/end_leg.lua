-- A run ends its leg: the stage that follows is for another queue. The attempt goes on, with the number that it has.
-- Returns {code}.
local job_key, alive_key, cancel_key = unpack(KEYS)
local token, attempt, leg, next_leg, found = unpack(ARGV)

local job = job_at(job_key)
if job.wanted ~= tonumber(attempt) or job.outcome then return {'superseded'} end
if job.left_by == token then return {'ended'} end  -- the reply to this call was lost
if (job.token and job.token ~= token) or job.leg_number ~= leg_of(leg) then return {'superseded'} end
if job.stop or is_set(cancel_key) then return {'stopped'} end

redis.call('DEL', alive_key)
redis.call('HDEL', job_key, 'token', 'owner', 'claimed_at', 'epoch', 'sent_at')
write(job_key, {leg = next_leg, found = found, begun = '1'})
return {'ended'}
