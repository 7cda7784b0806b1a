-- Add existing records to the install's index, and make the install their owner. Returns {'ok'}.
-- With a giver (another install, which has ended): move them out of its index. Job ids without a record move as well, so that the
-- rest of these jobs is found and deleted. Records owned by a third install are only removed from the giver's index.
-- KEYS: fence, records, records of the other install (or the same key), the record of each job. ARGV: fence, install id, id of the
-- other install, job ids.
local _, records_key, giver_key = unpack(KEYS)
local _, install_id, giver_id = unpack(ARGV)
local is_given = giver_key ~= records_key

if redis.call('TYPE', records_key).ok ~= 'set' then redis.call('DEL', records_key) end
for index = 4, #KEYS do
  local record_key, job_id = KEYS[index], ARGV[index]
  local owner = wanted(record_key) and fields_at(record_key, 'install_id')[1]
  local is_ours = not owner or owner == install_id or owner == giver_id
  if (is_given and is_ours) or (not is_given and is_set(record_key)) then redis.call('SADD', records_key, job_id) end
  if is_given then redis.pcall('SREM', giver_key, job_id) end
  if wanted(record_key) and owner ~= install_id and (is_ours or not is_given) then
    local record = {}
    for place, value in ipairs(fields_at(record_key, unpack(RECORD))) do record[RECORD[place]] = value or nil end
    record.install_id = install_id
    put(record_key, nil, record)
  end
end
return {'ok'}
