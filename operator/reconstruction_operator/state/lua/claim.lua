-- A delivery asks whether it may run. Returns {verdict, cancelled, stop}.
local claim_key, alive_key, end_key, record_key, cancel_key, stop_key, epoch_key = unpack(KEYS)
local token, worker, attempt, claim_ttl_ms, alive_ttl_ms = unpack(ARGV)

local is_plain = is_none_set(end_key, cancel_key, stop_key)
if not is_plain and end_at(end_key) then return {'duplicate'} end
local claim = claim_at(claim_key)
local claimant = claim.token
if claimant and claimant ~= token then
  -- A task without a record has no operator that would repeat it: its next delivery does, once its worker is silent.
  if attempt ~= '' or token_at(alive_key) == claimant then return {'duplicate'} end
  claimant = nil
end

if attempt ~= '' then
  local want = wanted(record_key)
  if want and want ~= tonumber(attempt) then return {'unwanted'} end
  if not want and not claimant then return {'no-record'} end
end

redis.call('DEL', alive_key, unpack(claimant and {} or {claim_key}))  -- first, for a full Redis: see `put` of the prelude
if not claimant then
  write_claim(claim_key, claim, claim_ttl_ms, token, worker, epoch_at(epoch_key))
  note_in_record(record_key, 'begun')
end
write(alive_key, alive_ttl_ms, {token = token, worker = worker})
if is_plain then return {'claimed', 0, ''} end
return {'claimed', is_set(cancel_key) and 1 or 0, stop_at(stop_key) or ''}
