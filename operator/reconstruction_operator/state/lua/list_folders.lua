-- Returns some of the reported job folders: job id and report, in turns.
-- A field that is not a job id (as in `check_job_id`) is deleted at once: if it is not valid text, the caller could not name it again.
-- It is returned all the same, so that the caller knows how many there were.
local folders_key = unpack(KEYS)
local most, limit_bytes = tonumber(ARGV[1]), tonumber(ARGV[2])

local found = redis.pcall('HRANDFIELD', folders_key, most, 'WITHVALUES')
if type(found) ~= 'table' or found.err then return {} end
for index = 1, #found, 2 do
  local id, text = found[index], found[index + 1]
  local good = #id <= 128 and string.find(id, '^%w[%w._-]*$') and string.find(id, '%w$')
  if not good or string.find(id, '..', 1, true) then
    redis.call('HDEL', folders_key, id)
    found[index] = string.sub(id, 1, 129)  -- still not a job id
  end
  if #text > limit_bytes then found[index + 1] = 'oversized' end
end
return found
