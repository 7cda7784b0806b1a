-- Prelude of every script: the rules by which a value is present, and how hashes are read and written.
-- No value is trusted: what breaks a rule is read as absent. `state/fields.py` has the same rules for the operator;
-- tests/real/state/test_agreement.py compares the two.

local time_ms
local function now_ms()
  if not time_ms then
    local time = redis.call('TIME')
    time_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  end
  return time_ms
end

local function digits(number)  -- without an exponent or a fraction
  return string.format('%.0f', number)
end

local function is_set(key)
  return redis.call('EXISTS', key) == 1
end

-- Whether none of these keys exists: one command instead of several, for keys that rarely exist.
local function is_none_set(...)
  return redis.call('EXISTS', ...) == 0
end

local function whole(text, least, most)
  if not text or #text > 15 or not string.find(text, '^%d+$') then return nil end
  local number = tonumber(text)
  return number >= least and number <= most and number or nil
end

local function time_of(text)
  return whole(text, 0, 7258118400000)  -- the year 2200, in ms
end

local function token_of(text)
  return text and #text <= 256 and string.find(text, '^[!-~]+$') and text or nil
end

local function queue_of(text)
  return text and #text <= 50 and string.find(text, '^[a-z0-9][-a-z0-9]*$') and string.sub(text, -1) ~= '-' and text or nil
end

local OUTCOMES = {Succeeded = true, Failed = true, Cancelled = true, Stopped = true}
local REASONS = {Suspend = true, Deadline = true, Deleted = true, Superseded = true}

-- Returns the values of these fields, false for each that is missing, or for all if the key holds no hash.
local function fields_at(key, ...)
  local values = redis.pcall('HMGET', key, ...)
  if not values.err then return values end
  local missing = {}
  for place in ipairs({...}) do missing[place] = false end
  return missing
end

-- Write a hash; the caller has deleted the old value.
local function write(key, ttl_ms, fields)
  local flat = {}
  for name, value in pairs(fields) do
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  redis.call('HSET', key, unpack(flat))
  if ttl_ms then redis.call('PEXPIRE', key, ttl_ms) end
end

-- Replace the value of a key by a hash.
--
-- Every script that ends, stops or cancels deletes before it sets. A full Redis refuses the first write of a script if it takes
-- memory, but accepts all writes after a deletion: so these scripts work, and free memory in the end.
local function put(key, ttl_ms, fields)
  redis.call('DEL', key)
  write(key, ttl_ms, fields)
end

local RECORD = {'attempt', 'queue', 'install_id', 'namespace', 'name', 'sent_at', 'orders', 'begun', 'cleaned', 'deleted'}

-- Returns the attempt that a record wants, and its fields by name. Read once: a script that changes them does so in its last write.
local wants, known_fields = {}, {}
local function wanted(record_key)
  if wants[record_key] == nil then
    local record = {}
    for place, value in ipairs(fields_at(record_key, unpack(RECORD))) do record[RECORD[place]] = value or nil end
    wants[record_key] = queue_of(record.queue) and whole(record.attempt, 1, 999999999) or false
    known_fields[record_key] = record
  end
  return wants[record_key] or nil, known_fields[record_key]
end

-- Set a note in a record, for the record's lifetime.
local function note_in_record(record_key, name)
  local want, record = wanted(record_key)
  if want and record[name] ~= '1' then redis.call('HSET', record_key, name, '1') end
end

-- Delete these notes of a record.
local function forget_notes(record_key, ...)
  local _, record = wanted(record_key)
  for _, name in ipairs({...}) do
    if record[name] then redis.pcall('HDEL', record_key, name) end
    record[name] = nil
  end
end

-- Returns the token of a claim or of a heartbeat.
local function token_at(key)
  return token_of(fields_at(key, 'token')[1])
end

-- Returns how an attempt ended: {outcome, at, details}, and the token that recorded it.
local function end_at(key)
  local outcome, at, details, token = unpack(fields_at(key, 'outcome', 'at', 'details', 'token'))
  if not outcome or not OUTCOMES[outcome] then return nil end
  return {outcome, at, details}, token
end

-- Returns why an attempt should stop.
local function stop_at(key)
  local reason = fields_at(key, 'reason')[1]
  return reason and REASONS[reason] and reason or nil
end

-- Returns the id of an epoch; longer ones than any that `open_epoch` writes are malformed.
local function epoch_of(text)
  return text and #text <= 64 and text or nil
end

-- Returns the id of Redis's epoch.
local function epoch_at(epoch_key)
  return epoch_of(fields_at(epoch_key, 'id')[1])
end

-- Count one of the operators' looks. Returns their number before and after it (equal if Redis refuses to write, or has no
-- epoch), and the epoch's id. In older data, the number is smaller than an operator remembers (`state.timeline`).
local function count_look(epoch_key)
  local text, looks = unpack(fields_at(epoch_key, 'id', 'looks'))
  local id, before = epoch_of(text), whole(looks, 0, 1e14) or 0
  local refused = not id or before >= 1e14 or type(redis.pcall('HSET', epoch_key, 'looks', digits(before + 1))) == 'table'
  return digits(before), digits(refused and before or before + 1), id or ''
end

-- Returns the claim of an attempt with its notes; without a token if there is no claim.
local function claim_at(key)
  local token, owner, at, epoch, ended = unpack(fields_at(key, 'token', 'owner', 'at', 'epoch', 'ended'))
  return {token = token_of(token), owner = owner or nil, at = time_of(at) and at, epoch = epoch, had_ended = ended == '1'}
end

-- Give the attempt to that token, or note in the token's claim that its worker sent a heartbeat in this epoch, or that the attempt
-- has ended (which distinguishes a lost end from a silent worker). `known`: as `claim_at` returned it, before the caller deleted it.
local function write_claim(key, known, ttl_ms, token, owner, epoch, ended)
  local claim = {token = token, owner = owner, at = digits(now_ms()), epoch = epoch, ended = ended}
  if known.token == token then claim.owner, claim.at = known.owner or owner, known.at or claim.at end
  write(key, ttl_ms, claim)
end

-- Record an end, and return it as `end_at` does; the caller has deleted the old value.
local function write_end(key, ttl_ms, token, outcome, details)
  local at = digits(now_ms())
  write(key, ttl_ms, {token = token, outcome = outcome, at = at, details = details})
  return {outcome, at, details}
end
