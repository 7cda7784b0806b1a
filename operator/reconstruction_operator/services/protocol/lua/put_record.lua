-- Say which attempt is wanted; it never falls. Answers {'ok', the record that holds}.
local fence_key, record_key, records_key, epoch_key = unpack(KEYS)
local fence, job_id, attempt, json = unpack(ARGV)

local refused = deposed(fence_key, fence)
if refused then return refused end

if redis.call('TYPE', records_key).ok ~= 'set' then redis.call('DEL', records_key) end
redis.call('SADD', records_key, job_id)
local before = object_at(record_key)
local want = wanted(before)
if want and want > tonumber(attempt) then return {'ok', text_at(record_key)} end

local record = cjson.decode(json)
if want == tonumber(attempt) then record.sent_at = before.sent_at end
local epoch = object_at(epoch_key)
record.epoch = epoch and epoch.id
local text = cjson.encode(record)
redis.call('SET', record_key, text)
return {'ok', text}
