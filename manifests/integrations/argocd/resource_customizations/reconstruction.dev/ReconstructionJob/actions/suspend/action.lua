-- Nothing of it runs while it is suspended; it goes on later as the next attempt.
obj.spec.suspend = true
return obj
