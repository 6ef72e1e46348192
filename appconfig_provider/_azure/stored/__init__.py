"""The copy of a store's content that is kept between runs: its text, its use, its writing."""
