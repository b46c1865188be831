"""One file for each system, run by the Python of that system's environment: it speaks `eval.peers.protocol`."""
