-- Record which attempt of a job is wanted. The number never decreases, unless it is too far ahead to be ours
-- (`fields.MAX_AHEAD`). Returns {'ok', the fields of the job that are then valid}.
local _, records_key, job_key, alive_key = unpack(KEYS)
local _, install_id, job_id, attempt, queue, namespace, name, leg = unpack(ARGV)

if type(redis.pcall('SADD', records_key, job_id)) == 'table' then  -- an error
  local kind = redis.call('TYPE', records_key).ok
  if kind ~= 'set' and kind ~= 'none' then redis.call('DEL', records_key) end  -- a deletion would make a full Redis accept what follows
  redis.call('SADD', records_key, job_id)
end

local job, mine = job_at(job_key), tonumber(attempt)
local record = {queue = queue, install_id = install_id, namespace = namespace, name = name}
local is_later = leg ~= '' and leg_of(leg) > (job.wanted == mine and job.leg_number or 0)
record.leg = is_later and leg or nil
if job.wanted == mine then
  write(job_key, record)
  redis.call('PERSIST', job_key)
  for name, value in pairs(record) do job[name] = value end
  -- As `observe` reads it: a time in the future would keep the message from being sent.
  if job.sent_at and (time_of(job.sent_at) or 1e15) > now_ms() + 86400000 then
    redis.call('HDEL', job_key, 'sent_at')
    job.sent_at = nil
  end
elseif not (job.wanted and queue_of(job.queue)) or job.wanted < mine or job.wanted > mine + 1e6 then
  if job.wanted then redis.call('DEL', alive_key) end
  supersede(job_key, job, attempt, record)
  job = record
end
local values = {}
for place, name in ipairs(FIELDS) do values[place] = job[name] or false end
return {'ok', values}
