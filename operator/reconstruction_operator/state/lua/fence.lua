-- Fencing token of the operator's scripts. `deposed` is the answer to a leader that has had a successor, else nil; a new
-- leader's first script raises the fence.

local function deposed(key, fence)
  local text = redis.pcall('GET', key)
  local seen = type(text) == 'string' and whole(text, 0, 2000000000) or -1  -- a Lease counts its transitions in an int32
  local mine = tonumber(fence)
  if mine < seen then return {'deposed', digits(seen)} end
  if mine > seen then redis.call('SET', key, digits(mine)) end
  return nil
end
