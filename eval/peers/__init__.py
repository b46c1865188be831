"""Other systems measured beside this one: each in an environment of its own, on the same passages and weights.

``python -m eval.peers --help`` lists the steps; what they find lies in ``docs/peers.json`` and reads in ``docs/peers.md``.
"""
