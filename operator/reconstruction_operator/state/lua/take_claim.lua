-- End an attempt that no worker has begun, so that none ever begins it. Returns {'ok', taken}.
local _, claim_key, end_key, epoch_key = unpack(KEYS)
local _, token, owner, retention_ms, outcome, details = unpack(ARGV)

local ended, recorder = end_at(end_key)
if ended then return {'ok', recorder == token and 1 or 0} end
local claim = claim_at(claim_key)
local claimant = claim.token
if claimant and claimant ~= token then return {'ok', 0} end

redis.call('DEL', claim_key, end_key)  -- first, for a full Redis: see `put` of the prelude
write_claim(claim_key, claim, retention_ms, token, owner, epoch_at(epoch_key), '1')
write_end(end_key, retention_ms, token, outcome, details)
return {'ok', 1}
