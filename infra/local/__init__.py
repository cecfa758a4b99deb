"""The embedded stack: the product and everything it talks to, on one machine, with nothing to install first."""
