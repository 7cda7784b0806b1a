"""The control loop: reconciler, actor, admission, orphans, sweeper, polling."""
