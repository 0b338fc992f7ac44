//! Offline vision-language runtime for ARM cameras.
