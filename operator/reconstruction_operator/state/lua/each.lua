-- Comes after each script of the operator, which is `change` here, and runs it for each call of a batch. ARGV: fence, how many calls,
-- and then the arguments of each. Returns {'ok', the reply to each call}. The error of a call is its reply, and stops no other.
local count, replies = tonumber(ARGV[2]), {'ok'}
local keys, args = (#KEYS - 1) / count, (#ARGV - 2) / count
for call = 0, count - 1 do
  local own_keys, own_args = {KEYS[1], unpack(KEYS, 2 + call * keys, 1 + (call + 1) * keys)}, {ARGV[1], unpack(ARGV, 3 + call * args, 2 + (call + 1) * args)}
  local ok, reply = pcall(change, own_keys, own_args)
  replies[call + 2] = (ok or type(reply) == 'table') and reply or redis.error_reply(tostring(reply))
end
return replies
