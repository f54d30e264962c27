"""YAML 1.2 with positions: the reader, and the sentences, of every file that people write for the gate."""
