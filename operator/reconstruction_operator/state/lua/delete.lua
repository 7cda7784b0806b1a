-- Delete flags (all keys after the fence). Answers {'ok'}.
local fence = unpack(ARGV)

local refused = deposed(KEYS[1], fence)
if refused then return refused end

for index = 2, #KEYS do redis.call('DEL', KEYS[index]) end
return {'ok'}
