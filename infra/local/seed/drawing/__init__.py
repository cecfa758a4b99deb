"""The pictures of the seed, as code: `python -m infra.local.seed.draw` writes them to `assets/`."""
