//! The default bundle's bytes.
