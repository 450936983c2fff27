"""Stars with labels, few and easily told apart, for tests of what learns from them."""

import numpy as np
import pandas as pd


def measured_stars(n: int, seed: int) -> pd.DataFrame:
    """Measured 5D inputs with errors and correlations; each tenth star is accreted and moves faster."""
    rng = np.random.default_rng(seed)
    accreted = np.arange(n) % 10 == 0
    parallax = rng.uniform(0.3, 3.0, n)
    return pd.DataFrame(
        {
            "l": rng.uniform(-179.0, 180.0, n),
            "b": rng.uniform(-60.0, 60.0, n),
            "pmra": rng.normal(0.0, np.where(accreted, 14.0, 4.0)),
            "pmdec": rng.normal(np.where(accreted, -9.0, 0.0), 4.0),
            "parallax": parallax,
            "pmra_error": 0.2,
            "pmdec_error": 0.2,
            "parallax_error": 0.05 * parallax,
            "parallax_pmra_corr": 0.3,
            "parallax_pmdec_corr": -0.2,
            "pmra_pmdec_corr": 0.1,
            "label_vm": accreted,
        }
    )
