-- Health of a ReconstructionJob, from its conditions, like Argo CD's own health check of batch/v1 Jobs.
-- A cancelled job is healthy, because its cancel was confirmed. A job of another controller is Unknown; the message names it.

local function condition(kind)
  if obj.status ~= nil and obj.status.conditions ~= nil then
    for _, one in ipairs(obj.status.conditions) do
      if one.type == kind then
        return one
      end
    end
  end
  return {}
end

local function holds(kind)
  return condition(kind).status == "True"
end

local function text(fallback)
  local message = obj.status ~= nil and obj.status.message or nil
  if message == nil or message == "" then
    return fallback
  end
  return message
end

local managed_by = obj.spec.managedBy
if managed_by ~= nil and managed_by ~= "" and managed_by ~= "reconstruction.dev/operator" then
  return { status = "Unknown", message = "left to " .. managed_by }
end

-- An end is final, so a newer generation changes nothing.
if holds("Finished") then
  if holds("Complete") then
    return { status = "Healthy", message = text("done") }
  end
  if holds("Cancelled") then
    return { status = "Healthy", message = text("cancelled") }
  end
  return { status = "Degraded", message = text("failed") }
end

if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "waiting for the operator to see it" }
end
if holds("Suspended") then
  return { status = "Suspended", message = text("suspended") }
end
local progress = obj.status.progress or {}
if obj.status.phase == "Running" and progress.step ~= nil and progress.step ~= "" then
  return { status = "Progressing", message = progress.step .. " (" .. (progress.percent or 0) .. "%)" }
end
return { status = "Progressing", message = text(obj.status.phase or "waiting") }
