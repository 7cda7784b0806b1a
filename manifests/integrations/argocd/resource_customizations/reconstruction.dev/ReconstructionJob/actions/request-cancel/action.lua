-- Step one of two: announced, and may be withdrawn. The job continues.
obj.spec.cancelRequested = true
return obj
