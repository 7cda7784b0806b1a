-- One snapshot of a whole batch. KEYS: for each job record, claim, alive, end, stop, request, cancel, cleaned.
-- Answers {now, {record, claim, alive, end, stop, request, cancel, cleaned, ms that the flag has to live}, ...}.
local limit_bytes = tonumber(ARGV[1])

local seen = {digits(now_ms())}
for first = 1, #KEYS, 8 do
  local values = redis.call('MGET', unpack(KEYS, first, first + 7))
  for index = 1, 8 do
    -- What is far too big is not even sent; the reader finds no JSON and says so.
    if values[index] and #values[index] > limit_bytes then values[index] = 'oversized' end
  end
  local ttl_ms = -2
  if values[7] then
    ttl_ms = redis.call('PTTL', KEYS[first + 6])
  elseif values[6] then
    ttl_ms = redis.call('PTTL', KEYS[first + 5])
  end
  values[9] = ttl_ms
  seen[#seen + 1] = values
end
return seen
