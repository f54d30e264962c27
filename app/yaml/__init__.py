"""Read YAML 1.2 with positions, and report problems, for every file that people write for the gate."""
