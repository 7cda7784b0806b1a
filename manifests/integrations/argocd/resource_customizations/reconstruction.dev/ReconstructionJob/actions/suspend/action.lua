-- A suspended job does not run; it continues later as the next attempt.
obj.spec.suspend = true
return obj
