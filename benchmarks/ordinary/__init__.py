"""An ordinary operator and its worker, as one would write them in an afternoon: what ours is compared with."""
