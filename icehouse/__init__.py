"""icehouse: freeze image features once, learn from them all year."""

__version__ = "0.1.0"
__all__ = ["__version__"]
