-- A worker says which job folders there are. What nobody asks for goes by itself. Answers nothing.
-- ARGV: ttl, then a job id and what its folder says of itself, for each.
local folders_key = unpack(KEYS)
if redis.call('TYPE', folders_key).ok ~= 'hash' then redis.call('DEL', folders_key) end
for index = 2, #ARGV, 2 do redis.call('HSET', folders_key, ARGV[index], ARGV[index + 1]) end
redis.call('PEXPIRE', folders_key, ARGV[1])
return false
