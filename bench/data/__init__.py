"""The data that runs train on: one `Dataset` per name, resident in memory or streamed. No metrics, no training here.

The public names stand in __init__.pyi and are imported when they are asked for. Inside the project import from the
module that defines a name.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
