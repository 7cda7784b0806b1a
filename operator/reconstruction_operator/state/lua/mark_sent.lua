-- Note when the wanted attempt's newest message was sent. Answers {'ok'}.
local fence_key, record_key = unpack(KEYS)
local fence, attempt = unpack(ARGV)

local refused = deposed(fence_key, fence)
if refused then return refused end

local record = object_at(record_key)
if wanted(record) == tonumber(attempt) then
  record.sent_at = now_ms()
  redis.call('SET', record_key, cjson.encode(record))
end
return {'ok'}
