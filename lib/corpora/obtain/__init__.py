"""Download the paper's corpora from their publishers and verify them: ``python -m lib.corpora.obtain``.

CREMA-D comes from its Git-LFS repository or that repository's mirror (`lib.corpora.obtain.cremad`), RAVDESS from its
Zenodo record (`lib.corpora.obtain.ravdess`). Both go through `lib.corpora.obtain.transfer`, which resumes, retries
and verifies.
"""
