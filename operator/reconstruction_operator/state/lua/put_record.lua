-- Put on record which attempt is wanted. It never falls, unless it is too far ahead to be ours (`fields.MAX_AHEAD`).
-- Answers {'ok', the record that holds}.
local _, record_key, records_key = unpack(KEYS)
local _, job_id, attempt, queue, install_id, namespace, name = unpack(ARGV)

if redis.call('TYPE', records_key).ok ~= 'set' then redis.call('DEL', records_key) end
redis.call('SADD', records_key, job_id)
local mine, want = tonumber(attempt), wanted(record_key)
if not want or want <= mine or want > mine + 1e6 then
  local sent_at, orders, cleaned, deleted =
    unpack(want == mine and fields_at(record_key, 'sent_at', 'orders', 'cleaned', 'deleted') or {})
  -- As `observe` reads it: a time that is still to come would keep the message from being sent.
  local known = time_of(sent_at) and tonumber(sent_at) <= now_ms() + 86400000 and sent_at or nil
  local record = {attempt = attempt, queue = queue, install_id = install_id, namespace = namespace, name = name}
  record.sent_at, record.orders = known, whole(orders, 0, 999) and orders or nil
  record.begun = want and fields_at(record_key, 'begun')[1] or nil  -- of any attempt
  record.cleaned, record.deleted = cleaned or nil, deleted or nil
  put(record_key, nil, record, record_key)
end
return {'ok', fields_at(record_key, unpack(RECORD))}
