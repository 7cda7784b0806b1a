-- Say which attempt is wanted; it never falls, unless it is too far ahead to be ours (`stored.MAX_AHEAD`).
-- Answers {'ok', the record that holds}.
local fence_key, record_key, records_key, epoch_key = unpack(KEYS)
local fence, job_id, attempt, json = unpack(ARGV)

local refused = deposed(fence_key, fence)
if refused then return refused end

if redis.call('TYPE', records_key).ok ~= 'set' then redis.call('DEL', records_key) end
redis.call('SADD', records_key, job_id)
local before = object_at(record_key)
local want = wanted(before)
if want and want > tonumber(attempt) and want <= tonumber(attempt) + 1e6 then return {'ok', text_at(record_key)} end

local record = cjson.decode(json)
local sent_at = want == tonumber(attempt) and before.sent_at
-- As `observe` reads it: a time that is still to come says nothing, and would keep the message from being sent.
if is_time(sent_at) and sent_at <= now_ms() + 86400000 then record.sent_at = sent_at end
local epoch = epoch_at(epoch_key)
record.epoch = epoch and epoch.id
local text = cjson.encode(record)
redis.call('SET', record_key, text)
return {'ok', text}
