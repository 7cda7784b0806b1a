-- Report job folders that a worker found. Reports that no operator reads expire. Returns nothing.
-- ARGV: ttl, then for each folder its job id and the content of its note.
local folders_key = unpack(KEYS)
if redis.call('TYPE', folders_key).ok ~= 'hash' then redis.call('DEL', folders_key) end
for index = 2, #ARGV, 2 do redis.call('HSET', folders_key, ARGV[index], ARGV[index + 1]) end
redis.call('PEXPIRE', folders_key, ARGV[1])
return false
