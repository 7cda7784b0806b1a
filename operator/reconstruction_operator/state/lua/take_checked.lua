-- Returns {'ok', {job id, report, ...}} for some preflights, and deletes these reports.
local _, checked_key = unpack(KEYS)
local _, most, limit_bytes = unpack(ARGV)

local found = redis.pcall('HRANDFIELD', checked_key, tonumber(most), 'WITHVALUES')
if type(found) ~= 'table' or found.err then return {'ok', {}} end
for index = 1, #found, 2 do
  redis.call('HDEL', checked_key, found[index])
  if #found[index + 1] > tonumber(limit_bytes) then found[index + 1] = '' end
end
return {'ok', found}
