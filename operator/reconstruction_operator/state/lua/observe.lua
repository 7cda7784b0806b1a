-- One snapshot of a whole batch. KEYS: for each job its hash, its heartbeat, request and cancel; then the epoch.
-- Returns a list:
--   now
--   {epoch, looks before this one, looks with this one}
--   for each job: {
--     the values of the fields of its hash,
--     token of its heartbeat (read only if the attempt is claimed and has not ended),
--     TTL of the cancel's request, TTL of its confirmation (ms, as PTTL returns them)
--   }
local limit_bytes = tonumber(ARGV[1])
local place_of = {}
for place, name in ipairs(FIELDS) do place_of[name] = place end

local before, after, epoch = count_look(KEYS[#KEYS])
local seen = {digits(now_ms()), {epoch, before, after}}
for first = 1, #KEYS - 1, 4 do
  local job_key, alive_key, request_key, cancel_key = unpack(KEYS, first, first + 3)
  local values = fields_at(job_key, unpack(FIELDS))
  for index, value in ipairs(values) do  -- oversized values are not sent
    if value and #value > limit_bytes then values[index] = 'oversized' end
  end
  local has_flag = redis.call('EXISTS', request_key, cancel_key) > 0
  seen[#seen + 1] = {
    values,
    token_of(values[place_of.token]) and not OUTCOMES[values[place_of.outcome]] and token_at(alive_key) or false,
    has_flag and redis.call('PTTL', request_key) or -2,
    has_flag and redis.call('PTTL', cancel_key) or -2,
  }
end
return seen
