-- Returns the job ids that have a record of the install.
local members = redis.pcall('SMEMBERS', KEYS[1])
if members.err then return {} end
return members
