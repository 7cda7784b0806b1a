-- Find what other installs left to this one, and take over the newest time at which one of them detected a restore of etcd.
-- Returns {'ok', the installs that have records or reported folders, by their places from 1}.
-- KEYS: fence, history, then history, records and folders of each install.
local _, history_key = unpack(KEYS)
local version, known = unpack(fields_at(history_key, 'version', 'restored_at'))
local newest, found = time_of(known) or -1, {}

for place = 1, (#KEYS - 2) / 3 do
  local theirs, records, folders = KEYS[3 * place], KEYS[3 * place + 1], KEYS[3 * place + 2]
  newest = math.max(newest, time_of(fields_at(theirs, 'restored_at')[1]) or -1)
  if is_set(records) or is_set(folders) then found[#found + 1] = place end
end
if newest > (time_of(known) or -1) then
  put(history_key, nil, {version = version or nil, restored_at = digits(newest)})
end
return {'ok', found}
