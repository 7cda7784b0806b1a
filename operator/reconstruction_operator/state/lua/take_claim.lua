-- End an attempt that no worker has begun, so that none ever begins it. Answers {'ok', taken}.
local fence_key, claim_key, end_key = unpack(KEYS)
local fence, token, owner, retention_ms, json = unpack(ARGV)

local refused = deposed(fence_key, fence)
if refused then return refused end

local ended = end_at(end_key)
if ended then return {'ok', ended.token == token and 1 or 0} end
local claim = claim_at(claim_key)
if claim and claim.token ~= token then return {'ok', 0} end

local at = now_ms()
redis.call('SET', claim_key, claim_text(token, owner, true, at), 'PX', retention_ms)
redis.call('SET', end_key, stamped(json, at), 'PX', retention_ms)
return {'ok', 1}
