-- The one point where success, failure and cancel are decided. Answers {verdict, end}.
local claim_key, alive_key, end_key, record_key, cancel_key, request_key, cleaned_key = unpack(KEYS)
local token, worker, attempt, retention_ms, outcome, json = unpack(ARGV)

local ended = end_at(end_key)
if ended then
  return {ended.token == token and 'already' or 'overtaken', text_at(end_key)}
end
local claim = claim_at(claim_key)
if claim and claim.token ~= token then return {'overtaken', ''} end
if attempt ~= '' then
  local want = wanted(object_at(record_key))
  if want and want > tonumber(attempt) then return {'overtaken', ''} end
  if not want and not claim then return {'overtaken', ''} end  -- forgotten: see beat.lua
end
if outcome ~= 'Cancelled' and is_set(cancel_key) then return {'cancelled', ''} end

local at = now_ms()
local text = stamped(json, at)
redis.call('SET', end_key, text, 'PX', retention_ms)
-- The claim lives as long as the end, from now on; after an emptied Redis it is made again.
if claim then
  redis.call('PEXPIRE', claim_key, retention_ms)
else
  redis.call('SET', claim_key, claim_text(token, worker, false, at), 'PX', retention_ms)
end
-- That files were deleted before says nothing of what this attempt has left.
redis.call('DEL', alive_key, cleaned_key)
if outcome == 'Succeeded' then redis.call('DEL', cancel_key, request_key) end
return {'recorded', text}
