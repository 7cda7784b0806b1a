-- Add existing records to the install's index, and make the install their owner. Returns {'ok'}.
-- KEYS: fence, records, the record of each job. ARGV: fence, install id, job ids.
local _, records_key = unpack(KEYS)
local _, install_id = unpack(ARGV)

if redis.call('TYPE', records_key).ok ~= 'set' then redis.call('DEL', records_key) end
for index = 3, #KEYS do
  local record_key = KEYS[index]
  if is_set(record_key) then redis.call('SADD', records_key, ARGV[index]) end
  local want, record = wanted(record_key)
  if want and record.install_id ~= install_id then
    record.install_id = install_id
    put(record_key, nil, record)
  end
end
return {'ok'}
