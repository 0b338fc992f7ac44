//! What a machine is and how it was while times were taken: whether they are worth anything.

use ocellus::sys;
use ocellus_boards::{Profile, State};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// The machine under a measurement.
pub struct Conditions {
    machine: sys::Machine,
    profile: Option<&'static Profile>,
    before: State,
    spoilt: Option<&'static str>,
}

impl Conditions {
    /// This machine, before the first measurement.
    pub fn before() -> Conditions {
        let machine = sys::Machine::this();
        let profile = Profile::of(&machine);
        let before = State::below(Path::new("/"), profile);
        Conditions {
            machine,
            profile,
            spoilt: before.spoilt_since(&before),
            before,
        }
    }

    /// How it is just now.
    pub fn now(&mut self) -> State {
        let now = State::below(Path::new("/"), self.profile);
        self.spoilt = self.spoilt.or(now.spoilt_since(&self.before));
        now
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
