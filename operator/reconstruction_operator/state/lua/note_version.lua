-- Note a resource version of the jobs in the API server. A consistent list below the noted version shows that etcd was restored.
-- Returns {'ok', when a restore was detected or '', now}.
local _, history_key = unpack(KEYS)
local _, seen, sight = unpack(ARGV)

local noted, restored_at = unpack(fields_at(history_key, 'version', 'restored_at'))
local before, version, now = whole(noted, 0, 999999999999999) or 0, whole(seen, 1, 999999999999999), digits(now_ms())
if not time_of(restored_at) then restored_at = nil end
if version then
  local is_restored = sight == 'restored' or (sight == 'list' and version < before)
  if is_restored then restored_at = now end
  if is_restored or version > before then
    put(history_key, nil, {version = digits(version), restored_at = restored_at})
  end
end
return {'ok', restored_at or '', now}
