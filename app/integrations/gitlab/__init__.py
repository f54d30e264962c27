"""GitLab: manual jobs that are played when deploys open, and freeze periods."""
