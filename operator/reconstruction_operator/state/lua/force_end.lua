-- End an attempt whose worker is silent. Returns {'ok', the end that counts}, without an end if the worker is alive after all.
local _, claim_key, end_key, epoch_key, alive_key = unpack(KEYS)
local _, token, owner, retention_ms, outcome, details = unpack(ARGV)

local ended = end_at(end_key)
if ended then return {'ok', ended} end
local claim = claim_at(claim_key)
local claimant = claim.token
if claimant and token_at(alive_key) == claimant then return {'ok'} end

redis.call('DEL', claim_key, end_key)  -- first, for a full Redis: see `put` of the prelude
write_claim(claim_key, claim, retention_ms, claimant or token, owner, epoch_at(epoch_key), '1')
return {'ok', write_end(end_key, retention_ms, token, outcome, details)}
