-- A delivery asks whether it may run. Answers {verdict, cancelled, stop}.
local claim_key, alive_key, end_key, record_key, cancel_key, stop_key = unpack(KEYS)
local token, worker, attempt, claim_ttl_ms, alive_ttl_ms = unpack(ARGV)

if end_at(end_key) then return {'duplicate'} end
local claim = claim_at(claim_key)
if claim and claim.token ~= token then return {'duplicate'} end

if attempt ~= '' then
  local want = wanted(object_at(record_key))
  if want and want ~= tonumber(attempt) then return {'unwanted'} end
  if not want and not claim then return {'no-record'} end
end

if not claim then
  redis.call('SET', claim_key, claim_text(token, worker, false, now_ms()), 'PX', claim_ttl_ms)
end
redis.call('SET', alive_key, cjson.encode({token = token, worker = worker}), 'PX', alive_ttl_ms)
return {'claimed', is_set(cancel_key) and 1 or 0, text_at(stop_key) or ''}
