-- Returns the announcements under these keys, an empty text for each that is missing or too long.
local limit_bytes = tonumber(ARGV[1])

local found = {}
for index, key in ipairs(KEYS) do
  local text = redis.pcall('GET', key)
  found[index] = type(text) == 'string' and #text <= limit_bytes and text or ''
end
return found
