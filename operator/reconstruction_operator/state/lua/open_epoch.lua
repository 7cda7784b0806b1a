-- Open an epoch if the sentinel is missing, malformed, of another run of the server, or older than the operator's knowledge.
-- Returns {'ok', id, when it began, looks before this one, looks with this one}.
local _, epoch_key = unpack(KEYS)
local _, run_id, known_looks = unpack(ARGV)

local now = now_ms()
local id, run, started_at, looks = unpack(fields_at(epoch_key, 'id', 'run_id', 'started_at', 'looks'))
local began = time_of(started_at)
local counted, known = whole(looks, 0, 1e14) or 0, tonumber(known_looks)
if not epoch_of(id) or run ~= run_id or not began or began > now or counted < known then
  looks = digits(math.max(counted, known))
  id, started_at = digits(now) .. '-' .. string.sub(run_id, 1, 8) .. '-' .. looks, digits(now)
  put(epoch_key, nil, {id = id, run_id = run_id, started_at = started_at, looks = looks})
end
local before, after = count_look(epoch_key)
return {'ok', id, started_at, before, after}
