-- One snapshot of a whole batch. KEYS: for each job record, claim, alive, end, stop, request, cancel, cleaned; then the epoch.
-- Answers {now, {epoch, looks before this one, with it}, {record, claim, alive, end, stop, ms that the request lives, the same of the confirmation, cleaned}, ...}.
local limit_bytes = tonumber(ARGV[1])

local function cut(values)  -- what is far too big is not even sent
  for index, value in ipairs(values) do
    if value and #value > limit_bytes then values[index] = 'oversized' end
  end
  return values
end

local epoch_key = KEYS[#KEYS]
local seen = {digits(now_ms()), {epoch_at(epoch_key) or '', count_look(epoch_key)}}
for first = 1, #KEYS - 1, 8 do
  local record, claim, alive, ended, stop, request, cancel, cleaned = unpack(KEYS, first, first + 7)
  seen[#seen + 1] = {
    cut(fields_at(record, unpack(RECORD))),
    cut(fields_at(claim, 'token', 'owner', 'at', 'epoch', 'ended')),
    cut(fields_at(alive, 'token')),
    cut(fields_at(ended, 'outcome', 'at', 'details')),
    cut(fields_at(stop, 'reason')),
    redis.call('PTTL', request),
    redis.call('PTTL', cancel),
    redis.call('EXISTS', cleaned),
  }
end
return seen
