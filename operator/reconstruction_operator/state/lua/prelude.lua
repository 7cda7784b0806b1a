-- Comes before every script. Nothing under a key is trusted: what is of another type or no JSON reads as absent.

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function digits(number)  -- without an exponent or a fraction
  return string.format('%.0f', number)
end

local function text_at(key)
  local value = redis.pcall('GET', key)
  if type(value) == 'string' then return value end
  return nil
end

local LITERALS = {['true'] = true, ['false'] = true, ['null'] = true}
local function is_number(word)
  local whole, rest = string.match(word, '^%-?(%d+)(.*)$')
  if not whole or #word > 40 or string.find(whole, '^0%d') then return false end
  rest = string.gsub(string.gsub(rest, '^%.%d+', ''), '^[eE][-+]?%d+$', '')
  return rest == '' and math.abs(tonumber(word)) < math.huge
end

-- Whether `stored.load` reads it as well: cjson takes much that is no JSON, and the two must never disagree.
local function is_plain_json(text)
  if string.find(text, '[%z\1-\31]') then return false end
  local bare = string.gsub(string.gsub(text, '\\.', ''), '"[^"]*"', '')  -- without what is quoted
  if select(2, string.gsub(bare, '[%[{]', '')) > 100 then return false end
  for word in string.gmatch(bare, '[^%s,:%[%]{}]+') do
    if not LITERALS[word] and not is_number(word) then return false end
  end
  return true
end

local function object_at(key)
  local text = text_at(key)
  if not text or #text > 65536 then return nil end  -- ours stay below 20 kB; decoding more would hold up everybody
  if not string.find(text, '^%s*{') then return nil end  -- a list would be a table as well
  if not is_plain_json(text) then return nil end
  local ok, value = pcall(cjson.decode, text)
  if ok and type(value) == 'table' then return value end
  return nil
end

-- What a key says, or nil where the operator could not read it either (`stored`): a value that the one takes for an end and
-- the other for nothing would leave a job between them for ever.
local function is_time(value)
  return type(value) == 'number' and value >= 0 and value <= 7258118400000  -- the year 2200
end

local OUTCOMES = {Succeeded = true, Failed = true, Cancelled = true, Stopped = true}
local function end_at(key)
  local value = object_at(key)
  return value and OUTCOMES[value.outcome] and is_time(value.at) and value or nil
end

local function claim_at(key)
  local value = object_at(key)
  return value and type(value.token) == 'string' and value.token ~= '' and is_time(value.at) and value or nil
end

local STOPS = {Suspend = true, Deadline = true, Deleted = true, Superseded = true}
local function stop_at(key)
  local value = object_at(key)
  return value and STOPS[value.reason] and value or nil
end

local function is_set(key)
  return redis.call('EXISTS', key) == 1
end

-- The attempt that a record wants, or nil without one that the operator can read.
local function wanted(record)
  if not record then return nil end
  for _, name in ipairs({'install_id', 'namespace', 'name', 'queue'}) do
    if record[name] ~= nil and type(record[name]) ~= 'string' then return nil end
  end
  local queue = record.queue or ''
  if #queue > 50 or string.find(queue, '[^-a-z0-9]') or string.find(queue, '^%-') or string.find(queue, '%-$') then
    return nil
  end
  if record.sent_at ~= nil and record.sent_at ~= cjson.null and not is_time(record.sent_at) then return nil end
  local attempt = record.attempt
  return type(attempt) == 'number' and attempt % 1 == 0 and attempt >= 1 and attempt < 1e9 and attempt or nil
end

-- The sentinel; one that could not have been set is none.
local function epoch_at(key)
  local value = object_at(key)
  return value and type(value.id) == 'string' and #value.id <= 64 and type(value.run_id) == 'string'
    and is_time(value.started_at) and value.started_at <= now_ms() and value or nil
end

-- A JSON object's text with the time in front; the object must not be empty. Never decoded and encoded again here,
-- since cjson makes {} of an empty list.
local function stamped(json, at)
  return '{"at":' .. digits(at) .. ',' .. string.sub(json, 2)
end

local function claim_text(token, owner, by_operator, at)
  return cjson.encode({token = token, owner = owner, by_operator = by_operator, at = at})
end
