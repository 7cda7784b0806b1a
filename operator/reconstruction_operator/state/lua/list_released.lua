-- Returns the released orphans: job id, and kind with namespace, in turns.
local found = redis.pcall('HGETALL', KEYS[1])
return found.err and {} or found
