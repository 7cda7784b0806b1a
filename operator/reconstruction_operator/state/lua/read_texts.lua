-- Returns the value of each key; nil if it is missing or of another type.
local limit_bytes = tonumber(ARGV[1])
local at_once = 1000 -- Lua's stack is no longer than 8000

local found = {}
for first = 1, #KEYS, at_once do
  for _, value in ipairs(redis.call('MGET', unpack(KEYS, first, math.min(first + at_once - 1, #KEYS)))) do
    -- Oversized values are not sent; to the reader this one is malformed.
    if value and #value > limit_bytes then value = 'oversized' end
    found[#found + 1] = value
  end
end
return found
