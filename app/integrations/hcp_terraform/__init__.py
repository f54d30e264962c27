"""HCP Terraform and Terraform Enterprise: runs that wait in a run task before they apply."""
