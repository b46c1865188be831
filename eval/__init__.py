"""What is measured: cases, a run of a system over them, scores with intervals, a report, and a gate."""
