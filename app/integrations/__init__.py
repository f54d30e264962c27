"""What the gate tells others: one folder for each kind of receiver, the same file names in each."""
