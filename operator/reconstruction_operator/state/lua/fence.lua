-- Comes before every script of the operator. `deposed` is the answer to a leader that has had a successor, else nil;
-- a new leader's first script lifts the fence.

local function deposed(key, fence)
  local mine = tonumber(fence)
  local text = text_at(key) or ''
  local seen = #text <= 15 and string.match(text, '^%d+$') and tonumber(text) or -1
  if seen > 2000000000 then seen = -1 end  -- no Lease counts so far: its transitions are an int32
  if mine < seen then return {'deposed', digits(seen)} end
  if mine > seen then redis.call('SET', key, digits(mine)) end
  return nil
end
