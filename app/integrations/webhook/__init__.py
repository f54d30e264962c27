"""Signed webhooks, as the Standard Webhooks specification defines them."""
