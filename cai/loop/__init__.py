"""The loop: sample, critique, revise, pair, judge, for many prompts at once."""

from cai.loop.draw import draw_principles
from cai.loop.generation import Generation
from cai.loop.plan import Plan, load_templates, make_plan
from cai.loop.progress import Progress

__all__ = ["Generation", "Plan", "Progress", "draw_principles", "load_templates", "make_plan"]
