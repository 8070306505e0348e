"""Skip tests that need the landmark models, where they are not there."""

import pytest

from lib.base import paths
from lib.faces import models

HAVE_MODELS = all((paths.models_dir() / name).is_file() for name in models.MODELS)
needs_models = pytest.mark.skipif(not HAVE_MODELS, reason="the landmark models are not there: run `make setup`")
