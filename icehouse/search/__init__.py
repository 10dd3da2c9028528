"""Search: the images nearest to others, to words or to vectors, in a store of any size."""

import lazy_loader

# The surface is in __init__.pyi; what is not asked for is not loaded.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
