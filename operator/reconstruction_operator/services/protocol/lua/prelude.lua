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

local function object_at(key)
  local text = text_at(key)
  if not text or #text > 65536 then return nil end  -- ours stay below 20 kB; decoding more would hold up everybody
  if not string.find(text, '^%s*{') then return nil end  -- a list would be a table as well
  local ok, value = pcall(cjson.decode, text)
  if ok and type(value) == 'table' then return value end
  return nil
end

-- What a key says, or nil where the operator could not read it either (`stored`): a value that the one takes for an end and
-- the other for nothing would leave a job between them for ever.
local function is_time(value)
  return type(value) == 'number' and value >= 0 and value <= 253402300799000
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

-- The attempt that a record wants, or nil without a record.
local function wanted(record)
  local attempt = record and record.attempt
  return type(attempt) == 'number' and attempt >= 1 and attempt < 1e9 and attempt or nil
end

-- A JSON object's text with the time in front; the object must not be empty. Never decoded and encoded again here,
-- since cjson makes {} of an empty list.
local function stamped(json, at)
  return '{"at":' .. digits(at) .. ',' .. string.sub(json, 2)
end

local function claim_text(token, owner, by_operator, at)
  return cjson.encode({token = token, owner = owner, by_operator = by_operator, at = at})
end
