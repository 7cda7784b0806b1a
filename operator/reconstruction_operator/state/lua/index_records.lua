-- Put existing records into the index of the install, which lacks them. Answers {'ok'}.
-- KEYS: fence, records, the record of each job. ARGV: fence, the id of each job.
local _, records_key = unpack(KEYS)

if redis.call('TYPE', records_key).ok ~= 'set' then redis.call('DEL', records_key) end
for index = 3, #KEYS do
  if is_set(KEYS[index]) then redis.call('SADD', records_key, ARGV[index - 1]) end
end
return {'ok'}
