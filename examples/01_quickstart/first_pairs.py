"""Pairs from a constitution in a few lines of Python.

Run it from anywhere:  python examples/01_quickstart/first_pairs.py
It uses the scripted engine, which needs no model. For a real one, see the comment below.
"""

import cai

# A real model in this process:      model = cai.engines.TransformersEngine()
# Any OpenAI-compatible server:      model = cai.engines.OpenAIEngine("name", base_url="http://…/v1")
model = cai.engines.ScriptedEngine()

run = cai.Generation.create(
    "harmless-helpful",
    ["How do I say no to a friend?", "My neighbour's music is too loud. What now?"],
    policy=model,
    run="runs/first-pairs",
)
for pair in run.pairs():
    print(f"p = {pair.p:.2f}  {pair.first[:60]!r}  ≻  {pair.second[:60]!r}")
for file in run.export().files:
    print(file)
