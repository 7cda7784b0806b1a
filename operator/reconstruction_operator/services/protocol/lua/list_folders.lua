-- Answers some of the reported job folders: a job id and what its folder says, in turns.
local found = redis.pcall('HRANDFIELD', KEYS[1], tonumber(ARGV[1]), 'WITHVALUES')
if found.err then return {} end
return found
