-- Health of an IngressRoute of Flint for Argo CD.
--
-- Healthy: every data-plane pod serves what the object says now. Degraded ends a sync, so it is said only of what the operator
-- has given up waiting for (Stalled); whatever may still come about is Progressing, and the message says what is missing.

local function progressing(message)
  return { status = "Progressing", message = message }
end

if obj.metadata.deletionTimestamp ~= nil then
  return progressing("is being deleted")
end

local status = obj.status
if status == nil or status.conditions == nil then
  return progressing("no operator has looked at it yet; is its ingressClassName one of Flint's?")
end
if status.observedGeneration ~= obj.metadata.generation then
  return progressing("the status is about generation " .. tostring(status.observedGeneration) ..
    ", and the object is at generation " .. tostring(obj.metadata.generation))
end

local conditions = {}
for _, condition in ipairs(status.conditions) do
  conditions[condition.type] = condition
end

local function said(condition)
  if condition.message == nil or condition.message == "" then
    return condition.reason
  end
  return condition.reason .. ": " .. condition.message
end

local stalled = conditions.Stalled
if stalled ~= nil and stalled.status == "True" then
  return { status = "Degraded", message = said(stalled) }
end

local ready = conditions.Ready
if ready == nil then
  return progressing("no operator has judged it yet")
end
if ready.status == "True" then
  return { status = "Healthy", message = ready.message }
end
return progressing(said(ready))
