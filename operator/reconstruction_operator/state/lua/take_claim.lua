-- End an attempt that no worker has begun, so that none ever begins it. Answers {'ok', taken}.
local _, claim_key, end_key, record_key, epoch_key = unpack(KEYS)
local _, token, owner, retention_ms, outcome, details = unpack(ARGV)

local ended, recorder = end_at(end_key)
if ended then return {'ok', recorder == token and 1 or 0} end
local claimant = token_at(claim_key)
if claimant and claimant ~= token then return {'ok', 0} end

put_claim(claim_key, retention_ms, token, owner, record_key, epoch_at(epoch_key), '1')
put_end(end_key, retention_ms, token, outcome, details, record_key)
return {'ok', 1}
