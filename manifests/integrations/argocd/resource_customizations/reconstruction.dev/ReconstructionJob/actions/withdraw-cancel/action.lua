-- Takes step one back. After step two the API server refuses it.
obj.spec.cancelRequested = false
return obj
