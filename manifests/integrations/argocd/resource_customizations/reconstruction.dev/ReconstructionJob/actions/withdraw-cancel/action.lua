-- Withdraws step one. After step two the API server refuses it.
obj.spec.cancelRequested = false
return obj
