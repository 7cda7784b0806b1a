-- Make sure of the sentinel: a new one if it is missing, or was set in another run of the server.
-- Answers {'ok', sentinel, now}.
local fence_key, epoch_key = unpack(KEYS)
local fence, run_id = unpack(ARGV)

local refused = deposed(fence_key, fence)
if refused then return refused end

local now = now_ms()
local epoch = epoch_at(epoch_key)
if not epoch or epoch.run_id ~= run_id then
  redis.call('SET', epoch_key, cjson.encode({
    id = digits(now) .. '-' .. string.sub(run_id, 1, 8),
    run_id = run_id,
    started_at = now,
  }))
end
return {'ok', text_at(epoch_key), digits(now)}
