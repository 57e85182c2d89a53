"""What the product knows: rubrics, labels, models, their proof and their use. Imports nothing of Flyte."""
