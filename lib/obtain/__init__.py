"""The paper's corpora, fetched from their publishers and verified: ``python -m lib.obtain``.

CREMA-D comes from its Git-LFS repository or that repository's mirror (`lib.obtain.cremad`), RAVDESS from its
Zenodo record (`lib.obtain.ravdess`). Both go through `lib.obtain.transfer`, which resumes, retries and verifies.
"""
