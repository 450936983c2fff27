"""exsitu: from Gaia surveys to a trustworthy catalog of accreted (ex situ) stars."""

from exsitu.environment import prepare as _prepare

__version__ = "0.1.0"

SILENCE = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
}
"""Variables that keep the packages exsitu uses from phoning home; set by every command unless the caller set them."""

_prepare()
