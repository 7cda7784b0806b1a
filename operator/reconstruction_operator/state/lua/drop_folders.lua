-- Drop reports of job folders that have been handled. Returns {'ok'}.
local _, folders_key = unpack(KEYS)
for index = 2, #ARGV do redis.pcall('HDEL', folders_key, ARGV[index]) end
return {'ok'}
