-- A run, or a worker that helps it, reports the part of a stage that it has made, and asks for the next one (`what` is
-- 'take'), or takes none ('leave'), or only asks how far the stage is ('look').
-- Returns {code, part, made parts, makers}, and for the run what is known of each helper: its id and its text.
--
--   run, stage, count     whose parts, and of which stage
--   p<part>               "made <ms>", or "<maker> <since> <deaths>"
--   h<helper>             "<heard at> <worker>", or why it has left
local job_key, parts_key = unpack(KEYS)
local run, maker, stage, count_text, made, ttl_ms, lost_ms, what = unpack(ARGV)

local SLOW = 3  -- times the median of the made parts: then another maker begins it too
local DEADLY = 2  -- makers that were lost with a part: then only the run itself makes it

local job, is_run, count = job_at(job_key), maker == run, whole(count_text, 1, 100000) or 0
local of_run, of_stage, of_count = unpack(fields_at(parts_key, 'run', 'stage', 'count'))
if job.token ~= run or job.outcome then return {'over', '', 0, 0} end
if of_run ~= run or of_stage ~= stage or of_count ~= count_text then
  if not is_run or what == 'look' then return {'over', '', 0, 0} end
  if of_run == run then
    for part = 0, (whole(of_count, 1, 100000) or 0) - 1 do redis.call('HDEL', parts_key, 'p' .. part) end
  else
    redis.call('DEL', parts_key)
  end
  write(parts_key, {run = run, stage = stage, count = count_text})
end
redis.call('PEXPIRE', parts_key, ttl_ms)

local known = {}
local flat = redis.call('HGETALL', parts_key)
for place = 1, #flat, 2 do known[flat[place]] = flat[place + 1] end
if known.closed then return {'over', '', 0, 0} end

local function is_there(id)
  if id == run then return true end
  local heard = time_of(string.match(known['h' .. id] or '', '^(%d+) '))
  return heard and now_ms() - heard < tonumber(lost_ms)
end

local own = made ~= '' and 'p' .. made
if own and tonumber(made) < count and not string.find(known[own] or '', '^made ') then
  local since = time_of(string.match(known[own] or '', ' (%d+) '))
  known[own] = 'made ' .. digits(since and now_ms() - since or 0)
  redis.call('HSET', parts_key, own, known[own])
end
if what == 'leave' then return {'over', '', 0, 0} end

local finished, makers, times, held, free, lost, oldest = 0, {}, {}, nil, nil, nil, nil
for part = 0, count - 1 do
  local text = known['p' .. part]
  local time = text and string.match(text, '^made (%d+)$')
  if time then
    finished = finished + 1
    times[#times + 1] = tonumber(time)
  else
    local by, since, deaths = string.match(text or '', '^(%S+) (%d+) (%d+)$')
    local entry = {part = part, by = by, since = tonumber(since), deaths = tonumber(deaths) or 0}
    if not by then
      free = free or entry
    elseif by == maker then
      held = held or entry
    elseif not is_there(by) then
      if is_run or entry.deaths + 1 < DEADLY then lost = lost or entry end
    else
      makers[by] = true
      if not oldest or entry.since < oldest.since then oldest = entry end
    end
  end
end

table.sort(times)
local median = times[math.floor((#times + 1) / 2)]
local slow = oldest and median and now_ms() - oldest.since > SLOW * math.max(median, 1000) and oldest
local next_one = what == 'take' and (held or free or lost or slow) or nil
if held or next_one then makers[maker] = true end
if next_one then
  if next_one ~= held then
    local deaths = next_one.deaths + (next_one == lost and 1 or 0)
    redis.call('HSET', parts_key, 'p' .. next_one.part, maker .. ' ' .. digits(now_ms()) .. ' ' .. digits(deaths))
  end
end
local running = 0
for _ in pairs(makers) do running = running + 1 end
local reply = {next_one and 'make' or finished == count and 'over' or 'wait', next_one and digits(next_one.part) or '', finished, running}
if is_run then
  for name, text in pairs(known) do
    if string.find(name, '^h') then
      local id = string.sub(name, 2)
      local is_lost = string.find(text, '^%d') and not is_there(id)
      reply[#reply + 1] = id
      reply[#reply + 1] = is_lost and 'left' or text
    end
  end
end
return reply
