//! A model's bytes, checked, planned and run.
