"""The documents' claims put to the test: one short file a study, one contract, one table of verdicts.

The public names stand in __init__.pyi and are imported when they are asked for. Inside the project import from the
module that defines a name.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
