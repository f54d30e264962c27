"""The dashboard: pages that the server renders, that work without JavaScript and are live with it."""
