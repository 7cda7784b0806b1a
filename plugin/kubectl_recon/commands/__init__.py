"""What each command does. `cli` has their options; these modules import what they need, so `cli` imports them late."""
