-- Drop the details of ends that the statuses of their jobs have had for long. Returns {'ok'}.
-- KEYS: fence, the key of each job.
for index = 2, #KEYS do
  local job = job_at(KEYS[index])
  if job.wanted and job.outcome and job.details and queue_of(job.queue) then
    local fields = {}
    for _, name in ipairs(FIELDS) do fields[name] = job[name] end
    fields.details, fields.found = nil, nil
    put(KEYS[index], nil, fields)  -- as a whole: a hash that has held a long value takes more memory
  end
end
return {'ok'}
