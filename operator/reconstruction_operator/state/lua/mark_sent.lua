-- Note when the newest message of a job's wanted attempt was sent, and count orders to delete files. Returns {'ok'}.
local _, job_key = unpack(KEYS)
local _, attempt, is_order = unpack(ARGV)

local wanted, orders = unpack(fields_at(job_key, 'attempt', 'orders'))
if whole(wanted, 1, 999999999) == tonumber(attempt) then
  local count = whole(orders, 0, 999) or 0
  local noted = is_order == '1' and digits(math.min(count + 1, 999)) or '0'
  redis.call('HSET', job_key, 'sent_at', digits(now_ms()), unpack((is_order == '1' or orders) and {'orders', noted} or {}))
end
return {'ok'}
