-- Note when the newest message of a job's wanted attempt was sent, and count orders to delete files. Returns {'ok'}.
local _, job_key = unpack(KEYS)
local _, attempt, is_order, leg = unpack(ARGV)

local wanted, orders, newest = unpack(fields_at(job_key, 'attempt', 'orders', 'leg'))
-- The leg of a message may have ended already.
if whole(wanted, 1, 999999999) == tonumber(attempt) and (is_order == '1' or leg_of(newest) == tonumber(leg)) then
  local count = whole(orders, 0, 999) or 0
  local noted = is_order == '1' and digits(math.min(count + 1, 999)) or '0'
  redis.call('HSET', job_key, 'sent_at', digits(now_ms()), unpack((is_order == '1' or orders) and {'orders', noted} or {}))
end
return {'ok'}
