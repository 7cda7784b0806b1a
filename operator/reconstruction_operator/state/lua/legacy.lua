-- COMPATIBILITY with the previous version, which kept each of these as a JSON text; comes before the prelude.
-- Delete this file, and its four uses, with the next minor version (docs/upgrading.md).
-- All that belongs to a job whose record is such a text is written as text, so that an older worker or operator understands it.

local NUMBERS = {attempt = true, at = true, sent_at = true}

-- The values of these fields of a JSON object, false for each that is missing.
local function text_fields(key, ...)
  local text, found = redis.pcall('GET', key), {}
  local is_object = type(text) == 'string' and #text <= 65536 and string.sub(text, 1, 1) == '{'
  local ok, object = pcall(cjson.decode, is_object and text or '{}')
  if not ok then object = {} end
  if is_object then object.details = text end
  for index, name in ipairs({...}) do
    local value = object[name]
    if type(value) == 'number' then value = string.format('%.0f', value) end
    found[index] = type(value) == 'string' and value
  end
  return found
end

-- Whether a record is such a text. Read once: no script changes a record's type, except in its last write.
local texts = {}
local function note_no_text(key)  -- its fields were read as those of a hash, or there is nothing
  if texts[key] == nil then texts[key] = false end
end
local function is_text(record_key)
  if texts[record_key] == nil then
    texts[record_key] = redis.call('TYPE', record_key).ok == 'string' and text_fields(record_key, 'attempt')[1] and true or false
  end
  return texts[record_key]
end

local function put_text(key, ttl_ms, fields)
  local object = {by_operator = fields.token == 'operator'}
  for name, value in pairs(fields) do
    if name ~= 'details' then object[name] = NUMBERS[name] and tonumber(value) or value end
  end
  local text = cjson.encode(object)
  if fields.details and #fields.details > 2 then
    text = string.sub(text, 1, -2) .. ',' .. string.sub(fields.details, 2)
  end
  redis.call('SET', key, text)
  if ttl_ms then redis.call('PEXPIRE', key, ttl_ms) end
end

-- Whether a claim is a hash, but its record a text: an operator of the previous version leads again, and cannot read it.
local function is_unread(claim_key, record_key)
  return is_text(record_key) and redis.call('TYPE', claim_key).ok == 'hash'
end
