"""The requests of a retraining and of a watch that starts one: what a run by hand may ask, they may ask, too."""

import datetime
from dataclasses import dataclass, field, replace

from assay.errors import InputError
from assay.monitoring import WatchConfig
from assay.options import group
from assay.pipeline import TrainingRequest
from assay.promotion import LIMIT, ChallengeRequest, PromotionLimits
from assay.sources import Period


@dataclass(frozen=True)
class RetrainingRequest:
    """A training on the newest labels, and the challenge of the champion that follows it."""

    training: TrainingRequest = field(metadata=group())
    test_set: str
    """Labelled documents that compare challenger and champion, the same each time, which are in no source."""
    days: int = 0
    """Length of the period before the retraining whose labels are learned from, in days; 0: all labels until then."""
    limits: PromotionLimits = field(
        default_factory=PromotionLimits,
        metadata=LIMIT,
    )
    """Limit of the promotion rules, such as mode=not_worse."""

    def __post_init__(self) -> None:
        if self.days < 0:
            raise InputError(f"a period of {self.days} days", fix="Give 0, for all until now, or more")

    def training_until(self, moment: datetime.datetime) -> TrainingRequest:
        """Return the training request on the labels before a moment, if a column gives their times."""
        asked = self.training.period
        if asked is None or asked.since or asked.until:  # no times, or a period of its own
            return self.training
        since = (moment - datetime.timedelta(days=self.days)).isoformat() if self.days else ""
        return replace(self.training, period=Period(asked.column, since, moment.isoformat()))

    @property
    def challenge(self) -> ChallengeRequest:
        """The request that compares the new model with the champion, on columns of the same names."""
        training = self.training
        columns = replace(training.columns, weight="")
        return ChallengeRequest(
            self.test_set, columns, slice_by=training.slice_by, limits=self.limits, gates=training.gates
        )


@dataclass(frozen=True)
class WatchingRequest:
    """Drift looks at a service, and the retraining that an alarm starts."""

    retraining: RetrainingRequest = field(metadata=group())
    watch: WatchConfig = field(default_factory=WatchConfig, metadata=group(title="watch"))
    reference: str = ""
    """Folder or URL of scores of a corpus to compare the answers with; empty: the model's calibration documents."""
