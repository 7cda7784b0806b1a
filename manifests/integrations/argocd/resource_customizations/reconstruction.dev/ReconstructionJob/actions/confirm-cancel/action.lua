-- Step two of two: final. The API server refuses it where step one was not stored before.
obj.spec.cancelConfirmed = true
return obj
