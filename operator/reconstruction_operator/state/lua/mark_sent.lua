-- Note when the newest message of a job's wanted attempt was sent, and count orders to delete files. Returns {'ok'}.
-- An order is for the files of all attempts: its attempt may be a later one, which was cancelled before its message was sent.
local _, record_key = unpack(KEYS)
local attempt, is_order = tonumber(ARGV[2]), ARGV[3] == '1'

local recorded, record = wanted(record_key)
if recorded and (recorded == attempt or (is_order and recorded < attempt)) then
  local orders = is_order and digits(math.min((whole(record.orders, 0, 999) or 0) + 1, 999)) or nil
  redis.call('HSET', record_key, 'sent_at', digits(now_ms()), unpack(orders and {'orders', orders} or {}))
  if not is_order then forget_notes(record_key, 'orders') end
end
return {'ok'}
