-- Change the flags of a cancel. Returns {'ok'}.
--   request: step one; without effect once the cancel is confirmed     withdraw: delete the request, never a confirmation
--   confirm: step two, which deletes the request                       clear: delete both
-- A flag that is set already gets its TTL again. Deletions come first, for a full Redis: see `put` of the prelude.
local _, request_key, cancel_key = unpack(KEYS)
local _, change, ttl_s = unpack(ARGV)

if change == 'request' and is_set(cancel_key) then return {'ok'} end
redis.call('DEL', request_key, unpack(change == 'clear' and {cancel_key} or {}))
if change == 'request' then redis.call('SET', request_key, 'pending', 'EX', ttl_s) end
if change == 'confirm' then redis.call('SET', cancel_key, '1', 'EX', ttl_s) end
return {'ok'}
