-- Note when the newest message of the wanted attempt of a job was sent, of one job or several, and count orders to delete files.
-- An order is for the files of all attempts: its attempt may be a later one, which was cancelled before its message was sent.
-- Returns {'ok', 1 or 0 for each job: whether it was noted}.
-- KEYS: fence, the record of each job. ARGV: fence, then attempt and whether it is an order of each.
local answer = {'ok'}
for place = 2, #KEYS do
  local record_key = KEYS[place]
  local attempt, is_order = tonumber(ARGV[2 * place - 2]), ARGV[2 * place - 1] == '1'
  local recorded, record = wanted(record_key)
  local is_noted = recorded and (recorded == attempt or (is_order and recorded < attempt))
  if is_noted then
    local orders = is_order and digits(math.min((whole(record.orders, 0, 999) or 0) + 1, 999)) or nil
    redis.call('HSET', record_key, 'sent_at', digits(now_ms()), unpack(orders and {'orders', orders} or {}))
    if not is_order then forget_notes(record_key, 'orders') end
  end
  answer[place] = is_noted and 1 or 0
end
return answer
