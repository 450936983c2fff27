"""What an experiment is given to measure with: its networks, and stars that none of them has learnt from."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.errors import InputError
from exsitu.evaluation.checks import VELOCITIES
from exsitu.evaluation.curves import roc_over_seeds
from exsitu.evaluation.estimates import Estimate, estimates, judging
from exsitu.evaluation.scan import scan_cuts
from exsitu.experiments.samples import PARTS, Surveys, particle_blocks
from exsitu.experiments.scoring import SCORERS
from exsitu.experiments.training import key_of, most_epochs, trial_folder
from exsitu.experiments.trial import Trial
from exsitu.provenance import read_json
from exsitu.settings import Settings


class Bench:
    """
    Networks of an experiment, and stars to measure them with.

    Parameters
    ----------
    settings : Settings
        All settings.
    surveys : Surveys
        The mock surveys.
    kept : Path
        Folder of the experiments.
    trials : mapping of str to Trial
        What the experiment trained, by its labels, seed 0 of each.
    """

    def __init__(self, settings: Settings, surveys: Surveys, kept: Path, trials: Mapping[str, Trial]) -> None:
        self.settings, self.surveys, self.kept, self.trials = settings, surveys, kept, trials
        self._scores: dict[tuple[str, str, str, str], NDArray[np.float32]] = {}

    def folders(self, label: str) -> list[Path]:
        """
        Find the networks of a trial.

        Parameters
        ----------
        label : str
            Of the trial.

        Returns
        -------
        list of Path
            A folder a seed.
        """
        return [trial_folder(self.kept, key) for key in self.keys(label)]

    def keys(self, label: str) -> list[str]:
        """
        Keys of a trial.

        Parameters
        ----------
        label : str
            Of the trial.

        Returns
        -------
        list of str
            One a seed.
        """
        seeds = range(self.settings.experiments.seeds)
        return [key_of(self.trials[label].with_seed(s), self.settings, self.surveys) for s in seeds]

    def test(self, survey: str, *, filters: tuple[str, ...] = (), split: str = "star") -> pd.DataFrame:
        """
        Stars no network has learnt from.

        Parameters
        ----------
        survey : str
            Name of the survey.
        filters, split
            As for `Surveys.rows`.

        Returns
        -------
        DataFrame
        """
        return self.surveys.part(survey, "test", filters=filters, split=split)

    def scores(
        self, label: str, survey: str, *, filters: tuple[str, ...] = (), split: str = "star", part: str = "test"
    ) -> list[NDArray[np.float32]]:
        """
        Score stars that were not learnt from.

        Parameters
        ----------
        label : str
            Of the trial.
        survey : str
            Whose stars; a rest-frame network gets the constants of its Sun.
        filters, split
            As for `Surveys.rows`.
        part : str
            ``test``, or ``validation``: stars that may have stopped a training, but taught none.

        Returns
        -------
        list of ndarray of float32, shape (n_stars,)
            One a seed.

        Raises
        ------
        InputError
            If the trial learnt from the survey by another split: its test stars would be among those it learnt from; or
            if the part is that which teaches.
        """
        self._require_unseen(label, survey, split, part)
        rows = self.surveys.rows(survey, part, filters=filters, split=split)
        place = np.searchsorted(self.surveys.rows(survey, part, split=split), rows)
        kind = self.trials[label].kind
        return [self._of_part(folder, kind, survey, split, part)[place] for folder in self.folders(label)]

    def _require_unseen(self, label: str, survey: str, split: str, part: str) -> None:
        if part == PARTS[-1]:
            raise InputError(f"{part} stars of {survey} are for learning from; measure {label} on its test stars")
        samples = (sample for step in self.trials[label].lineage() for sample in (step.sample, step.stopping))
        for sample in samples:
            if survey in sample.surveys and sample.split != split:
                raise InputError(
                    f"{label} learnt from {survey} split by {sample.split}; test stars of the split by {split} are "
                    f"partly its own: measure it with split={sample.split!r}"
                )

    def _of_part(self, folder: Path, kind: str, survey: str, split: str, part: str) -> NDArray[np.float32]:
        """Scores of all stars of a part: another filter needs no model in memory."""
        name = (folder.name, survey, split, part)
        if name not in self._scores:
            self._scores[name] = self._scored(folder, kind, survey, self.surveys.part(survey, part, split=split))
        return self._scores[name]

    def scores_of(self, label: str, survey: str, stars: pd.DataFrame) -> list[NDArray[np.float32]]:
        """
        Score stars that are given as a table, such as those of the Milky Way, or draws of the errors of test stars.

        Parameters
        ----------
        label : str
            Of the trial.
        survey : str
            Under whose Sun.
        stars : DataFrame
            The trial's inputs. That no network has learnt from them is the caller's to see to.

        Returns
        -------
        list of ndarray of float32, shape (n_stars,)
            One a seed; NaN where an input is missing.
        """
        kind = self.trials[label].kind
        return [self._scored(folder, kind, survey, stars) for folder in self.folders(label)]

    def _scored(self, folder: Path, kind: str, survey: str, stars: pd.DataFrame) -> NDArray[np.float32]:
        return SCORERS[kind](folder, self.surveys.sun(survey), stars)

    def judge(
        self,
        label: str,
        survey: str,
        *,
        filters: tuple[str, ...] = (),
        split: str = "star",
        cut: float | None = None,
    ) -> dict[str, Estimate]:
        """
        Measure a trial on test stars, by all its seeds, with errors.

        Parameters
        ----------
        label : str
            Of the trial.
        survey : str
            Whose test stars.
        filters, split
            As for `Surveys.rows`.
        cut : float, optional
            Score cut; each network's best by default.

        Returns
        -------
        dict of str to Estimate
            As `exsitu.evaluation.estimates.judging` names them. Estimates of one survey, filter and split can be
            subtracted: they share their stars.
        """
        stars = self.test(survey, filters=filters, split=split)
        velocities = stars[list(VELOCITIES)].to_numpy(np.float64)
        accreted = stars["accreted"].to_numpy()
        blocks = particle_blocks(stars["parentid"].to_numpy(), self.settings.experiments.jackknife_blocks)
        found = self.scores(label, survey, filters=filters, split=split)
        return estimates([judging(s, accreted, velocities, self.settings.evaluation, cut) for s in found], blocks)

    def roc(self, label: str, survey: str, *, filters: tuple[str, ...] = (), split: str = "star") -> pd.DataFrame:
        """
        ROC curve with the range over seeds.

        Parameters
        ----------
        label : str
            Of the trial.
        survey : str
            Whose test stars.
        filters, split
            As for `Surveys.rows`.

        Returns
        -------
        DataFrame
            ``name``, ``efficiency_in_situ``, ``efficiency_accreted`` (mean over seeds), ``low``, ``high``.
        """
        accreted = self.test(survey, filters=filters, split=split)["accreted"].to_numpy()
        curve = roc_over_seeds(self.scores(label, survey, filters=filters, split=split), accreted)
        curve.insert(0, "name", label)
        return curve

    def scan(self, label: str, survey: str, *, filters: tuple[str, ...] = (), split: str = "star") -> pd.DataFrame:
        """
        Metrics at every score cut, mean over seeds.

        Parameters
        ----------
        label : str
            Of the trial.
        survey : str
            Whose test stars.
        filters, split
            As for `Surveys.rows`.

        Returns
        -------
        DataFrame
            ``name``, then what `exsitu.evaluation.scan.scan_cuts` gives.
        """
        stars = self.test(survey, filters=filters, split=split)
        velocities, accreted = stars[list(VELOCITIES)].to_numpy(np.float64), stars["accreted"].to_numpy()
        evaluation = self.settings.evaluation
        scans = [
            scan_cuts(score, accreted, velocities, evaluation.velocity_bins, evaluation.cuts)
            for score in self.scores(label, survey, filters=filters, split=split)
        ]
        mean = pd.concat(scans).groupby(level=0).mean()
        mean.insert(0, "name", label)
        return mean

    def sizes(self) -> pd.DataFrame:
        """
        Say what each network learnt from.

        Returns
        -------
        DataFrame
            ``name``, numbers of stars and of accreted ones, epochs, validation loss; of seed 0.
        """
        rows = []
        for label in self.trials:
            about = read_json(self.folders(label)[0] / "trial.json")
            told = ("training_stars", "training_accreted", "epochs", "best_epoch", "val_loss")
            rows.append({"name": label, **{name: about[name] for name in told}})
        return pd.DataFrame(rows)

    def cut_short(self) -> str:
        """
        Say how many networks ended by the limit of epochs, and might have learnt more.

        Returns
        -------
        str
            A note; empty where there are none.
        """
        limits = [
            most_epochs(trial, self.settings)
            for label, trial in self.trials.items()
            for folder in self.folders(label)
            if read_json(folder / "trial.json")["epochs"] == most_epochs(trial, self.settings)
        ]
        counts = {limit: limits.count(limit) for limit in sorted(set(limits))}
        networks = self.settings.experiments.seeds * len(self.trials)
        said = ", ".join(f"{count} after {limit} epochs" for limit, count in counts.items())
        return f"of {networks} networks the limit, not their validation loss, ended {said}" if said else ""
