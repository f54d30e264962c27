"""The commands of `freezegate`, one file each."""
