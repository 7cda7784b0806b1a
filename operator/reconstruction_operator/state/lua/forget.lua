-- Delete the keys of a job that no longer runs. Returns {'ok', forgotten}.
-- If a silent worker may return to it, `gone` stays for a while, and its run must stop.
local _, records_key, job_key, alive_key, request_key, cancel_key = unpack(KEYS)
local _, job_id, ttl_ms = unpack(ARGV)

local job = job_at(job_key)
if job.token and not job.outcome and token_at(alive_key) == job.token then return {'ok', 0} end
redis.call('DEL', alive_key, request_key, cancel_key)
if may_return(job) then
  put(job_key, ttl_ms, {gone = '1'})
elseif not job.gone then
  redis.call('DEL', job_key)
end
redis.pcall('SREM', records_key, job_id)
return {'ok', 1}
