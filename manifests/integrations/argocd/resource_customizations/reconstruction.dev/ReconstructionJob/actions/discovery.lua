-- The actions that apply now. A cancel has two steps: the API server accepts the second only after the first is stored.

local finished = false
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, one in ipairs(obj.status.conditions) do
    if one.type == "Finished" and one.status == "True" then
      finished = true
    end
  end
end

local suspended = obj.spec.suspend == true
local requested = obj.spec.cancelRequested == true
local confirmed = obj.spec.cancelConfirmed == true

return {
  ["suspend"] = { ["disabled"] = finished or confirmed or suspended },
  ["resume"] = { ["disabled"] = finished or confirmed or not suspended },
  ["request-cancel"] = { ["disabled"] = finished or requested },
  ["withdraw-cancel"] = { ["disabled"] = finished or confirmed or not requested },
  ["confirm-cancel"] = { ["disabled"] = finished or confirmed or not requested },
}
