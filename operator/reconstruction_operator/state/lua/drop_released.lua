-- Drop the releases of held orphans: all of them are cleaned up. Returns {'ok'}.
redis.call('DEL', KEYS[2])
return {'ok'}
