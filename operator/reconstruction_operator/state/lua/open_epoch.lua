-- Open an epoch if the sentinel is missing, malformed, or of another run of the server.
-- Answers {'ok', {id, run id, when it began}, now}.
local _, epoch_key = unpack(KEYS)
local _, run_id = unpack(ARGV)

local now = now_ms()
local id, run, started_at = unpack(fields_at(epoch_key, 'id', 'run_id', 'started_at'))
local began = time_of(started_at)
if not id or #id > 64 or run ~= run_id or not began or began > now then
  id, started_at = digits(now) .. '-' .. string.sub(run_id, 1, 8), digits(now)
  put(epoch_key, nil, {id = id, run_id = run_id, started_at = started_at})
end
return {'ok', {id, run_id, started_at}, digits(now)}
