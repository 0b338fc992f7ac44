//! How warm the board is and whether it throttles, asked once a second.

use ocellus::sys::Machine;
use ocellus_boards::{Profile, State};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// The machine's files are asked no more often than this.
const EVERY: Duration = Duration::from_secs(1);

/// A board's heat.
pub struct Heat {
    root: PathBuf,
    profile: Option<&'static Profile>,
    asked: Option<Instant>,
    known: Known,
}

/// What is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Known {
    /// Of the cores, in degrees Celsius; `None` where the machine does not say.
    pub temp_c: Option<f32>,
    /// The cores are slowed down.
    pub throttled: bool,
}

impl Heat {
    /// Of the machine whose `proc` and `sys` lie below a folder; of this one without.
    pub fn of(folder: Option<PathBuf>) -> Heat {
        let (root, machine) = match folder {
            Some(folder) => (folder.clone(), Machine::below(&folder)),
            None => (PathBuf::from("/"), Machine::this()),
        };
        Heat {
            root,
            profile: Profile::of(&machine),
            asked: None,
            known: Known::default(),
        }
    }

    /// What it is, as it was within the last second.
    pub fn now(&mut self) -> Known {
        if self.asked.is_none_or(|asked| asked.elapsed() >= EVERY) {
            let state = State::below(&self.root, self.profile);
            self.asked = Some(Instant::now());
            self.known = Known {
                temp_c: state.temperature_celsius,
                throttled: state.slowed,
            };
        }
        self.known
    }
}
