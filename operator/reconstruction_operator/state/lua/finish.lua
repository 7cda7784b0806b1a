-- The one point where success, failure and cancel are decided. Returns {verdict, end}.
local claim_key, alive_key, end_key, record_key, cancel_key, request_key, cleaned_key, epoch_key = unpack(KEYS)
local token, worker, attempt, retention_ms, outcome, details, has_deleted = unpack(ARGV)

local is_plain = is_none_set(end_key, cancel_key)
local ended, recorder
if not is_plain then ended, recorder = end_at(end_key) end
if ended then return {recorder == token and 'already' or 'superseded', ended} end
local claim = claim_at(claim_key)
local claimant = claim.token
if claimant and claimant ~= token then return {'superseded'} end
if attempt ~= '' then
  local want = wanted(record_key)
  if want and want > tonumber(attempt) then return {'superseded'} end
  if not want and not claimant then return {'superseded'} end  -- its keys were deleted: see beat.lua
end
if outcome ~= 'Cancelled' and not is_plain and is_set(cancel_key) then return {'cancelled'} end

-- A task without a record has no operator that would repeat it: its message goes back to the queue, for any worker.
if attempt == '' and outcome == 'Stopped' then
  redis.call('DEL', claim_key, alive_key)
  return {'released'}
end

-- From now on the claim has the TTL of the end; if Redis was emptied, the claim is made again.
redis.call('DEL', claim_key, end_key, alive_key, cleaned_key, unpack(outcome == 'Succeeded' and {cancel_key, request_key} or {}))
write_claim(claim_key, claim, retention_ms, token, worker, epoch_at(epoch_key), '1')
-- The note of an earlier clean-up does not cover the files of this attempt.
forget_notes(record_key, 'cleaned', 'deleted')
if has_deleted == '1' then note_in_record(record_key, 'deleted') end
return {'recorded', write_end(end_key, retention_ms, token, outcome, details)}
