-- Answers 1 or 0 for each key. Not its value, which may be of any size.
local found = {}
for index, key in ipairs(KEYS) do found[index] = redis.call('EXISTS', key) end
return found
