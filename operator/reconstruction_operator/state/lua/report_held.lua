-- Report orphans whose clean-up the brake holds. Returns {'ok'}.
-- ARGV: fence, whether these replace the earlier ones, then for each its job id, and its kind and namespace.
local _, held_key = unpack(KEYS)
if ARGV[2] == '1' or redis.call('TYPE', held_key).ok ~= 'hash' then redis.call('DEL', held_key) end
for index = 3, #ARGV, 2 do redis.call('HSET', held_key, ARGV[index], ARGV[index + 1]) end
return {'ok'}
