-- Step one of two: announced, and may be withdrawn. The job goes on.
obj.spec.cancelRequested = true
return obj
