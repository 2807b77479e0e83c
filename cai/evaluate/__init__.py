"""What a model does: refusals, wins, adherence, and what alignment cost it."""
