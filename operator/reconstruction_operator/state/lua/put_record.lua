-- Record which attempt of a job is wanted. The number never decreases, unless it is too far ahead to be ours
-- (`fields.MAX_AHEAD`). Returns {'ok', the record that is then valid}.
local _, records_key, record_key = unpack(KEYS)
local _, install_id, job_id, attempt, queue, namespace, name = unpack(ARGV)

if type(redis.pcall('SADD', records_key, job_id)) == 'table' then  -- an error
  local kind = redis.call('TYPE', records_key).ok
  if kind ~= 'set' and kind ~= 'none' then redis.call('DEL', records_key) end  -- a deletion would make a full Redis accept what follows
  redis.call('SADD', records_key, job_id)
end

local mine, want, known = tonumber(attempt), wanted(record_key)
if not want or want <= mine or want > mine + 1e6 then
  local record = {attempt = attempt, queue = queue, install_id = install_id, namespace = namespace, name = name}
  if want then record.begun = known.begun end  -- of any attempt
  if want == mine then
    -- As `observe` reads it: a time in the future would keep the message from being sent.
    record.sent_at = time_of(known.sent_at) and tonumber(known.sent_at) <= now_ms() + 86400000 and known.sent_at or nil
    record.orders = whole(known.orders, 0, 999) and known.orders or nil
    record.cleaned, record.deleted = known.cleaned, known.deleted
  end
  put(record_key, nil, record)
  known = record
end
local values = {}
for index, field in ipairs(RECORD) do values[index] = known[field] or false end
return {'ok', values}
