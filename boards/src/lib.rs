//! What is known of each board, and how this machine differs from it.
//!
//! `profiles/` has one file for each board, the only place for its facts; this crate carries them inside, finds the one that
//! a machine is ([`Profile::of`]), says what is otherwise than it should be ([`Profile::differences`]) and how warm and fast
//! it is just now ([`State`]). It decides
//! nothing: a machine without a profile runs as well as its instruction set lets it.
//!
//! Limits: a profile states what boards are made with. What an owner changed (an overclock, another power mode) is a
//! difference, not a fault.
#![forbid(unsafe_code)]

mod differences;
mod profile;
mod state;

pub use differences::Difference;
pub use profile::{
    Camera, Cpu, Defaults, Memory, Note, Power, PowerUnit, Profile, System, Thermal, Throttle,
    UnknownBoard, all,
};
pub use state::State;
