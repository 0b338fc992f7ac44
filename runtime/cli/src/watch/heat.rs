//! How warm the board is, whether it throttles, and what it draws, asked once a second.

use crate::power::{Meter, PowerOption};
use ocellus::sys::Machine;
use ocellus_boards::{Profile, State};
use ocellus_drivers::Energy;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// The machine's files are asked no more often than this.
const EVERY: Duration = Duration::from_secs(1);

/// A board's heat and power.
pub struct Heat {
    root: PathBuf,
    profile: Option<&'static Profile>,
    meter: Option<Meter>,
    start: Instant,
    asked: Option<Instant>,
    known: Known,
    energy: Energy,
}

/// What is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Known {
    /// Of the cores, in degrees Celsius; `None` where the machine does not say.
    pub temp_c: Option<f32>,
    /// The cores are slowed down.
    pub throttled: bool,
    /// What the whole board draws, in watts; `None` where nothing measures it.
    pub power_watts: Option<f32>,
}

impl Heat {
    /// Of the machine whose `proc` and `sys` lie below a folder; of this one without.
    ///
    /// # Errors
    /// A power monitor that is not there.
    pub fn of(folder: Option<PathBuf>, power: &PowerOption) -> anyhow::Result<Heat> {
        let (root, machine) = match folder {
            Some(folder) => (folder.clone(), Machine::below(&folder)),
            None => (PathBuf::from("/"), Machine::this()),
        };
        let profile = Profile::of(&machine);
        Ok(Heat {
            meter: power.meter(&root, profile)?,
            root,
            profile,
            start: Instant::now(),
            asked: None,
            known: Known::default(),
            energy: Energy::default(),
        })
    }

    /// What it is, as it was within the last second.
    pub fn now(&mut self) -> Known {
        if self.asked.is_none_or(|asked| asked.elapsed() >= EVERY) {
            let state = State::below(&self.root, self.profile);
            self.asked = Some(Instant::now());
            self.known = Known {
                temp_c: state.temperature_celsius,
                throttled: state.slowed,
                power_watts: self.meter.as_mut().and_then(Meter::watts),
            };
            if let Some(watts) = self.known.power_watts {
                self.energy.add(self.start.elapsed(), watts);
            }
        }
        self.known
    }

    /// Joules since the first answer, where anything measures them.
    pub fn joules(&self) -> Option<f64> {
        (self.energy.joules() > 0.0).then(|| self.energy.joules())
    }
}
