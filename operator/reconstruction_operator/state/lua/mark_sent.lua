-- Note when the newest message of the wanted attempt's job was sent, and count orders to delete files. Answers {'ok'}.
-- An order is for the files of all attempts: it may be of a later attempt, which was cancelled before it was sent.
local _, record_key = unpack(KEYS)
local _, attempt, is_order = unpack(ARGV)

attempt = tonumber(attempt)
local recorded = wanted(record_key)
if recorded and (recorded == attempt or (is_order == '1' and recorded < attempt)) then
  local record = {}
  for index, value in ipairs(fields_at(record_key, unpack(RECORD))) do record[RECORD[index]] = value or nil end
  record.sent_at = digits(now_ms())
  record.orders = is_order == '1' and digits(math.min((whole(record.orders, 0, 999) or 0) + 1, 999)) or nil
  put(record_key, nil, record, record_key)
end
return {'ok'}
