//! What a machine is and how it was while times were taken: whether they are worth anything.

use crate::power::{Meter, PowerOption};
use ocellus::sys;
use ocellus_boards::{Profile, State};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The machine under a measurement.
pub struct Conditions {
    root: PathBuf,
    machine: sys::Machine,
    profile: Option<&'static Profile>,
    before: State,
    spoilt: Option<&'static str>,
    /// What it draws, where that can be read.
    meter: Option<Meter>,
}

impl Conditions {
    /// A machine before the first measurement: this one, or that whose `proc` and `sys` lie below a folder.
    ///
    /// # Errors
    /// A power monitor that is not there.
    pub fn before(folder: Option<&Path>, power: &PowerOption) -> anyhow::Result<Conditions> {
        let machine = folder.map_or_else(sys::Machine::this, sys::Machine::below);
        let root = folder.unwrap_or(Path::new("/")).to_owned();
        let profile = Profile::of(&machine);
        let before = State::below(&root, profile);
        Ok(Conditions {
            meter: power.meter(&root, profile)?,
            machine,
            profile,
            spoilt: before.spoilt_since(&before),
            before,
            root,
        })
    }

    /// How it is just now.
    pub fn now(&mut self) -> State {
        let now = State::below(&self.root, self.profile);
        self.spoilt = self.spoilt.or(now.spoilt_since(&self.before));
        now
    }

    /// So many runs, and what the board draws meanwhile: null where that can't be read, or where they are over in a moment.
    pub fn record<R>(&mut self, runs: u32, run: impl FnOnce() -> R) -> (R, Value) {
        let recording = self.meter.take().map(Meter::record);
        let result = run();
        let Some(recording) = recording else {
            return (result, Value::Null);
        };
        let (meter, recorded) = recording.end();
        self.meter = meter;
        let energy = recorded.map(|recorded| {
            json!({
                "per_run_mj": 1e3 * recorded.joules / f64::from(runs),
                "mean_watts": recorded.mean_watts,
                "joules": recorded.joules,
                "seconds": recorded.seconds,
                "samples": recorded.samples,
            })
        });
        (result, energy.into())
    }

    /// Why the times say nothing, where they do not.
    pub fn spoilt(&self) -> Option<&'static str> {
        self.spoilt
    }

    /// The machine, and how it was before and is now.
    pub fn json(&mut self) -> Value {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
        let after = self.now();
        json!({
            "model": self.machine.model,
            "board": self.profile.map(|profile| &profile.id),
            "kernel": kernel.as_deref().map(str::trim),
            "glibc": self.machine.glibc,
            "cores": self.machine.cores_online,
            "ram_mib": self.machine.ram_mib,
            "page_size_bytes": self.machine.page_bytes,
            "before": self.before,
            "after": after,
        })
    }
}
