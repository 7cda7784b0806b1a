-- Drop reports of job folders that have been dealt with, or are another install's. Answers {'ok'}.
local fence_key, folders_key = unpack(KEYS)
local refused = deposed(fence_key, ARGV[1])
if refused then return refused end
for index = 2, #ARGV do redis.pcall('HDEL', folders_key, ARGV[index]) end
return {'ok'}
