"""Rules for shops' catalogues: a webhook says *look*, the engine reads, decides and makes the fewest calls."""

__version__ = "0.1.0"
