-- Release the held orphans of some namespaces, or of all. Returns how many are still held, and how many are released and not yet
-- cleaned up: each by namespace, namespace and number in turns. A repeated call returns the same.
-- ARGV: whether all, namespaces.
local held_key, released_key = unpack(KEYS)
local is_wanted = {}
for index = 2, #ARGV do is_wanted[ARGV[index]] = true end

local function all_at(key)
  local found = redis.pcall('HGETALL', key)
  return found.err and {} or found
end

local function namespace_of(text)
  return string.match(text, '/(.*)$') or ''
end

local function counts_at(key)
  local found, counts, flat = all_at(key), {}, {}
  for index = 2, #found, 2 do
    local namespace = namespace_of(found[index])
    counts[namespace] = (counts[namespace] or 0) + 1
  end
  for namespace, number in pairs(counts) do
    flat[#flat + 1] = namespace
    flat[#flat + 1] = number
  end
  return flat
end

local held = all_at(held_key)
for index = 1, #held, 2 do
  if ARGV[1] == '1' or is_wanted[namespace_of(held[index + 1])] then
    redis.call('HDEL', held_key, held[index])  -- first, for a full Redis: see `put`
    if redis.call('TYPE', released_key).ok ~= 'hash' then redis.call('DEL', released_key) end
    redis.call('HSET', released_key, held[index], held[index + 1])
  end
end
return {counts_at(held_key), counts_at(released_key)}
