-- End an attempt whose worker is silent. Answers {'ok', the end that counts}, empty if a worker is alive after all.
local fence_key, claim_key, end_key, alive_key = unpack(KEYS)
local fence, token, owner, retention_ms, json = unpack(ARGV)

local refused = deposed(fence_key, fence)
if refused then return refused end

if end_at(end_key) then return {'ok', text_at(end_key)} end
local claim = claim_at(claim_key)
local alive = object_at(alive_key)
if claim and alive and alive.token == claim.token then return {'ok', ''} end

local at = now_ms()
local text = stamped(json, at)
redis.call('SET', end_key, text, 'PX', retention_ms)
if claim then
  redis.call('PEXPIRE', claim_key, retention_ms)
else
  redis.call('SET', claim_key, claim_text(token, owner, true, at), 'PX', retention_ms)
end
return {'ok', text}
