"""Signed callbacks: the answer to a deploy that waits, to any program that takes it."""
