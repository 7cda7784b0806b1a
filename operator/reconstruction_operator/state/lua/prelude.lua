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

local function write(key, fields)
  local flat = {}
  for name, value in pairs(fields) do
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  redis.call('HSET', key, unpack(flat))
end

-- Replace the value of a key by a hash.
--
-- Every script that ends, stops or cancels deletes before it sets. A full Redis refuses the first write of a script if it takes
-- memory, but accepts all writes after a deletion: so these scripts work, and free memory in the end.
local function put(key, ttl_ms, fields)
  redis.call('DEL', key)
  write(key, fields)
  if ttl_ms then redis.call('PEXPIRE', key, ttl_ms) end
end

-- The fields of a job or of a bare task: the record, the claim, the stop, the end. `gone`: see forget.lua.
local FIELDS = {
  'attempt', 'queue', 'install_id', 'namespace', 'name', 'sent_at', 'orders', 'begun', 'cleaned', 'deleted',
  'token', 'owner', 'claimed_at', 'epoch', 'stop', 'outcome', 'ended_at', 'ended_by', 'details', 'lost', 'gone',
  'leg', 'found',
}

-- Returns the number of a leg, 0 for the first one of an attempt, and the token that ended the leg before.
-- The text has the number, the queue, the stage and the token.
local function leg_of(text)
  local number, queue, stage, token = string.match(text or '', '^(%d+) (%S+) (%l[-%l%d]*) (%S+)$')
  if not (whole(number, 1, 999) and queue_of(queue) and #stage <= 32 and token_of(token)) then return 0 end
  return tonumber(number), token
end

-- Returns the valid fields of a job by name; `wanted` is its attempt. Claim, stop and end are those of that attempt.
local function job_at(key)
  local job = {}
  for place, value in ipairs(fields_at(key, unpack(FIELDS))) do job[FIELDS[place]] = value or nil end
  job.wanted = whole(job.attempt, 1, 999999999)
  job.token = token_of(job.token)
  job.stop = job.stop and REASONS[job.stop] and job.stop
  job.outcome = job.outcome and OUTCOMES[job.outcome] and job.outcome
  job.leg_number, job.left_by = leg_of(job.leg)
  return job
end

-- Returns whether a run of a worker may exist that has not recorded an end: it must be able to see that it is superseded.
local function may_return(job)
  return job.lost or (job.token and job.ended_by ~= job.token)
end

-- Make an attempt the wanted one. Claim, stop and end of the job's earlier attempt are gone by that.
local function supersede(job_key, job, attempt, fields)
  fields.attempt, fields.begun, fields.lost = attempt, job.begun, may_return(job) and '1' or nil
  for _, name in ipairs({'queue', 'install_id', 'namespace', 'name'}) do fields[name] = fields[name] or job[name] end
  put(job_key, nil, fields)
end

-- Returns the token of a heartbeat.
local function token_at(alive_key)
  local token = redis.pcall('GET', alive_key)
  return type(token) == 'string' and token_of(token) or nil
end

-- Renew a heartbeat. A deletion comes first, for a full Redis: see `put`.
local function keep_alive(alive_key, ttl_ms, token)
  redis.call('DEL', alive_key)
  redis.call('SET', alive_key, token, 'PX', ttl_ms)
end

-- Returns how an attempt ended.
local function end_of(job)
  return {job.outcome, job.ended_at or false, job.details or false}
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

-- Returns the fields of a claim. One with the same token keeps its owner and its time: its worker has sent a heartbeat in this epoch.
local function claim_of(job, token, owner, epoch)
  local is_same = job.token == token
  return {
    token = token,
    owner = is_same and job.owner or owner,
    claimed_at = is_same and time_of(job.claimed_at) and job.claimed_at or digits(now_ms()),
    epoch = epoch or '',
    begun = '1',
  }
end
