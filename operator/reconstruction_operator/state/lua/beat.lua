-- Heartbeat of a running attempt, which asks whether it may continue. Returns {owned, cancelled, stop, drain_at}.
local claim_key, alive_key, end_key, record_key, cancel_key, stop_key, draining_key, epoch_key = unpack(KEYS)
local token, worker, life, attempt, claim_ttl_ms, alive_ttl_ms = unpack(ARGV)

local is_plain = is_none_set(end_key, cancel_key, stop_key, draining_key)

local function answer(owned)
  if is_plain then return {owned and 1 or 0, 0, '', ''} end
  -- Ignore a shutdown that another process of the same node name announced.
  local drains, drain_at = unpack(fields_at(draining_key, 'life', 'at'))
  return {
    owned and 1 or 0,
    is_set(cancel_key) and 1 or 0,
    stop_at(stop_key) or '',
    drains == life and time_of(drain_at) and drain_at or '',
  }
end

-- The run is superseded: its heartbeat no longer counts.
local function superseded()
  if token_at(alive_key) == token then redis.call('DEL', alive_key) end
  return answer(false)
end

local ended, recorder
if not is_plain then ended, recorder = end_at(end_key) end
-- A beat after the attempt's own end is harmless, and must not bring it back to life.
if ended then return answer(recorder == token) end
local claim = claim_at(claim_key)
local claimant = claim.token
if claimant and claimant ~= token then return superseded() end
local want = attempt ~= '' and wanted(record_key)
if want and want > tonumber(attempt) then return superseded() end
if claimant and claim.had_ended then return answer(true) end  -- Redis has lost its end
-- Neither claim nor record: Redis was emptied and the operator has not restored the record yet, or the operator has
-- deleted the job's keys. Continue, but write no key that would remain.
if attempt ~= '' and not want and not claimant then return answer(true) end

local epoch = epoch_at(epoch_key)
local is_noted = not epoch or claim.epoch == epoch
if claimant and is_noted then
  redis.call('PEXPIRE', claim_key, claim_ttl_ms)
else
  redis.call('DEL', claim_key)
  write_claim(claim_key, claim, claim_ttl_ms, token, worker, epoch)
  note_in_record(record_key, 'begun')
end
put(alive_key, alive_ttl_ms, {token = token, worker = worker})
return answer(true)
