"""Issues of Jira, which freeze deploys."""
