"""GitHub, through an App: deployment protection rules and merge freezes."""
