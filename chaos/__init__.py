"""Faults on real parts: what happens to jobs when everything around them breaks. `python -m chaos --help`.

One run starts a control plane, a Redis, two operators and three workers, keeps 50 jobs under way, and hurts all of it in
rounds. Then it checks the invariants of `invariants.py` for each job, from the outside.

    clock, journal   what the model processes really did, by a clock since boot
    scene, proxies   the parts, and the network between them
    load             the users: they create, cancel, suspend and delete
    watcher          what the API showed
    faults           what is broken, and how it is mended
    running          rounds of faults, and what is gathered
    deliveries       what lies where `spec.output` says
    evidence         the facts that are judged
    invariants       the judgement: pure
    report           the tables
"""
