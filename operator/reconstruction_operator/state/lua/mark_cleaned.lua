-- Note that a worker has deleted a job's files, while the operator still has a record of the job. Returns nothing.
local job_key = unpack(KEYS)

if job_at(job_key).wanted then
  redis.call('HDEL', job_key, 'cleaned')  -- first, for a full Redis: see `put` of the prelude
  redis.call('HSET', job_key, 'cleaned', '1')
end
return false
