-- A running attempt says that it lives, and asks whether it may go on. Answers {owned, cancelled, stop, drain_at}.
local claim_key, alive_key, end_key, record_key, cancel_key, stop_key, draining_key = unpack(KEYS)
local token, worker, life, attempt, claim_ttl_ms, alive_ttl_ms = unpack(ARGV)

-- What a predecessor of the same name said of its own end is not about this worker.
local draining = object_at(draining_key)
local drain_at = draining and draining.life == life and tonumber(draining.at)

local function answer(owned)
  return {
    owned and 1 or 0,
    is_set(cancel_key) and 1 or 0,
    text_at(stop_key) or '',
    drain_at and digits(drain_at) or '',
  }
end

-- Overtaken: what is alive here is no longer this attempt.
local function overtaken()
  local alive = object_at(alive_key)
  if alive and alive.token == token then redis.call('DEL', alive_key) end
  return answer(false)
end

local ended = end_at(end_key)
if ended then
  -- A beat that comes after the attempt's own end is harmless, and must not bring it back to life.
  return answer(ended.token == token)
end
local claim = claim_at(claim_key)
if claim and claim.token ~= token then return overtaken() end

local record = nil
if attempt ~= '' then
  local want = wanted(object_at(record_key))
  if want and want > tonumber(attempt) then return overtaken() end
  -- Neither claim nor record: Redis was emptied and the operator has not been here since (it puts the record first),
  -- or the job was forgotten on purpose. Go on, but write nothing that would be left behind.
  if not want and not claim then return answer(true) end
end

if claim then
  redis.call('PEXPIRE', claim_key, claim_ttl_ms)
else
  redis.call('SET', claim_key, claim_text(token, worker, false, now_ms()), 'PX', claim_ttl_ms)
end
redis.call('SET', alive_key, cjson.encode({token = token, worker = worker}), 'PX', alive_ttl_ms)
return answer(true)
