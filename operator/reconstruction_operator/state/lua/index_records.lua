-- Add existing records to the install's index, and make the install their owner. Returns {'ok'}.
-- KEYS: fence, records, the key of each job. ARGV: fence, install id, job ids.
local _, records_key = unpack(KEYS)
local _, install_id = unpack(ARGV)

if redis.call('TYPE', records_key).ok ~= 'set' then redis.call('DEL', records_key) end
for index = 3, #KEYS do
  local attempt, owner = unpack(fields_at(KEYS[index], 'attempt', 'install_id'))
  if whole(attempt, 1, 999999999) then
    redis.call('SADD', records_key, ARGV[index])
    if owner ~= install_id then redis.call('HSET', KEYS[index], 'install_id', install_id) end
  end
end
return {'ok'}
