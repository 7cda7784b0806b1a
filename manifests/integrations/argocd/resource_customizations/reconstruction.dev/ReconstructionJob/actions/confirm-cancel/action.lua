-- Step two of two: final. The API server refuses it without a stored step one.
obj.spec.cancelConfirmed = true
return obj
