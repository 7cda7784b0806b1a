-- One snapshot of a whole batch. KEYS: for each job record, claim, alive, end, stop, request, cancel, cleaned; then the epoch.
-- Answers {now, {epoch, looks before this one, with it}, {record, claim, alive, end, stop, ms that the request lives, the same of the confirmation, cleaned}, ...}.
-- The heartbeat is read only of an attempt that has been claimed and has not ended.
local limit_bytes = tonumber(ARGV[1])

local function cut(values)  -- what is far too big is not even sent
  for index, value in ipairs(values) do
    if value and #value > limit_bytes then values[index] = 'oversized' end
  end
  return values
end

local before, after, epoch = count_look(KEYS[#KEYS])
local seen = {digits(now_ms()), {epoch, before, after}}
for first = 1, #KEYS - 1, 8 do
  local record, claim, alive, ended, stop, request, cancel, cleaned = unpack(KEYS, first, first + 7)
  local is_plain = is_none_set(stop, request, cancel, cleaned)
  local its_claim = cut(fields_at(claim, 'token', 'owner', 'at', 'epoch', 'ended'))
  local its_end = cut(fields_at(ended, 'outcome', 'at', 'details'))
  seen[#seen + 1] = {
    cut(fields_at(record, unpack(RECORD))),
    its_claim,
    token_of(its_claim[1]) and not OUTCOMES[its_end[1]] and cut(fields_at(alive, 'token')) or {false},
    its_end,
    is_plain and {false} or cut(fields_at(stop, 'reason')),
    is_plain and -2 or redis.call('PTTL', request),
    is_plain and -2 or redis.call('PTTL', cancel),
    is_plain and 0 or redis.call('EXISTS', cleaned),
  }
end
return seen
