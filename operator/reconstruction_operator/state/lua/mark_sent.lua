-- Note when the newest message of the wanted attempt's job was sent, and count orders to delete files. Answers {'ok'}.
local _, record_key = unpack(KEYS)
local _, attempt, is_order = unpack(ARGV)

if wanted(record_key) == tonumber(attempt) then
  local record = {}
  for index, value in ipairs(fields_at(record_key, unpack(RECORD))) do record[RECORD[index]] = value or nil end
  record.sent_at = digits(now_ms())
  record.orders = is_order == '1' and digits(math.min((whole(record.orders, 0, 999) or 0) + 1, 999)) or nil
  put(record_key, nil, record, record_key)
end
return {'ok'}
