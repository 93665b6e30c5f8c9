from .api.conformance import check as check
from .api.results import Results as Results
from .api.results import open_results as open_results
from .api.studies import run_studies as run_studies
from .api.suites import merge as merge
from .api.suites import run_suite as run_suite
