"""Azure DevOps: stages that wait in an Invoke REST API check."""
