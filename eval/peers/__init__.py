"""Other systems measured beside this one: each in an environment of its own, on the same passages and weights.

``python -m eval.peers --help`` lists the steps. What they find lies in ``docs/peers.json``; ``docs/peers.md`` tells it.
"""
