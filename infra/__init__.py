"""Everything that is not the product: the embedded stack and the deployment."""
