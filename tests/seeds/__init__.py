"""The two pages that say what this project is for: their code runs, and does what they say."""
