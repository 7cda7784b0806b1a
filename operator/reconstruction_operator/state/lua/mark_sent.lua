-- Note when the wanted attempt's newest message was sent. Answers {'ok'}.
local _, record_key = unpack(KEYS)
local _, attempt = unpack(ARGV)

if wanted(record_key) == tonumber(attempt) then
  local record = {}
  for index, value in ipairs(fields_at(record_key, unpack(RECORD))) do record[RECORD[index]] = value or nil end
  record.sent_at = digits(now_ms())
  put(record_key, nil, record, record_key)
end
return {'ok'}
