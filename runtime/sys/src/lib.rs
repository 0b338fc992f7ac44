//! What touches the machine: instruction sets, cores and how warm they are kept, pages, threads, shared buffers, cameras,
//! files that survive a power cut, the end of a program, marks for instruction counters.
//!
//! What asks about the machine has an answer on every machine: what cannot be read is `None` or `unknown`, never an
//! error, because no picture should fail to be labelled for want of a file in `/proc`. All functions are safe but
//! [`SharedBuffer::new`], whose memory others may write; the unsafe code behind them is in this room so that the others
//! can forbid it.
//!
//! Limits: Linux. Elsewhere on Unix it builds and answers less. No environment variable is read: who wants to lower
//! the instruction set uses `Isa::at_most`.

mod camera;
mod cooling;
mod cpu;
pub mod isa;
mod machine;
pub mod mark;
mod memory;
mod pool;
mod shared;
mod stop;
mod whole_file;
mod worker;

pub use camera::{Camera, CameraError, CameraFormat, Captured, MAX_PLANES, Which};
pub use cooling::{COOLING_DEVICES, Cooling};
pub use cpu::{cores, cpu_name};
pub use machine::Machine;
pub use memory::{page_size, peak_rss_bytes};
pub use pool::{Marks, Pool};
pub use shared::{SharedBuffer, SharedError};
pub use stop::{Stop, Woken, open_without_waiting};
pub use whole_file::FileLock;
pub use worker::{ThreadKey, Worker};
