"""exsitu: from Gaia surveys to a trustworthy catalog of accreted (ex situ) stars."""

__version__ = "0.1.0"
