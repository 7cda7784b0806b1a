-- Returns 1 or 0 for each key: whether it exists, with any content.
local found = {}
for index, key in ipairs(KEYS) do found[index] = redis.call('EXISTS', key) end
return found
