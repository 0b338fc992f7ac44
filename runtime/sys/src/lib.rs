//! What touches the machine: instruction sets, cores, pages.
