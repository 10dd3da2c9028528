"""Maps: all images of a store as points in the plane, near each other where they are alike."""

import lazy_loader

# The surface is in __init__.pyi; what is not asked for is not loaded.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
