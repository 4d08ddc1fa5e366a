"""Train neural network architectures side by side, and say which differences are real.

Importing the package imports neither TensorFlow nor pandas; each function brings what it needs
when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
