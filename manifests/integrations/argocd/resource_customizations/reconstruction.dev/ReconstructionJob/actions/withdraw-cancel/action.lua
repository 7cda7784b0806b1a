-- Withdraws step one, with its reason. After step two the API server refuses it.
obj.spec.cancelRequested = false
obj.spec.cancelReason = nil
return obj
