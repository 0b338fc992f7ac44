//! SIMD kernels and their scalar twins; knows numbers, not models.
