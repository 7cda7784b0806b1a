"""The control loop: cache and work queue, reconciler, actor, admission, orphans, sweeps, timers."""
