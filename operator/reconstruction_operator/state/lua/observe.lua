-- One snapshot of a whole batch. KEYS: for each job record, claim, alive, end, stop, request, cancel, cleaned; then the epoch.
-- Returns a list:
--   now
--   {epoch, looks before this one, looks with this one}
--   for each job: {
--     record, claim (the values of their fields),
--     heartbeat (read only if the attempt is claimed and has not ended),
--     end, stop,
--     TTL of the cancel's request, TTL of its confirmation (ms, as PTTL returns them),
--     cleaned (1 or 0)
--   }
local limit_bytes = tonumber(ARGV[1])

local function cut(values)  -- oversized values are not sent
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
