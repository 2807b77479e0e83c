"""The held-out subset: sampled, labelled by people, and used to say how good the AI labels are."""

from cai.validation.labels import Labels
from cai.validation.records import Action, Annotation, Annotator, Item, SamplingPlan, Stratum

__all__ = ["Action", "Annotation", "Annotator", "Item", "Labels", "SamplingPlan", "Stratum"]
