"""Tests of ConfigCat's dialect."""
