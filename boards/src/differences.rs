//! What a machine has that its board's profile does not say, or the other way round.

use crate::profile::Profile;
use ocellus_sys::Machine;
use std::fmt;

/// One thing that is otherwise than the profile says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What is: `cores`, `core`, `features`, `page size`, `memory`, `glibc`.
    pub what: &'static str,
    /// What the profile says.
    pub expected: String,
    /// What the machine says.
    pub got: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: expected {}, got {}",
            self.what, self.expected, self.got
        )
    }
}

impl Profile {
    /// How a machine differs from this board. What the machine does not say is no difference.
    pub fn differences(&self, machine: &Machine) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut check = |what, fits: bool, expected: String, got: String| {
            if !fits {
                found.push(Difference {
                    what,
                    expected,
                    got,
                });
            }
        };
        if let Some(core) = &machine.core {
            check(
                "core",
                *core == self.cpu.core,
                self.cpu.core.clone(),
                core.clone(),
            );
        }
        if let Some(cores) = machine.cores_online {
            let expected = format!("{} online", self.cpu.cores);
            check(
                "cores",
                cores == self.cpu.cores,
                expected,
                cores.to_string(),
            );
        }
        if !machine.features.is_empty() {
            let missing = |feature: &&String| !machine.features.contains(*feature);
            let missing: Vec<&str> = self
                .cpu
                .features
                .iter()
                .filter(missing)
                .map(String::as_str)
                .collect();
            let got = format!("no {}", missing.join(", no "));
            check(
                "features",
                missing.is_empty(),
                self.cpu.features.join(" "),
                got,
            );
        }
        if let Some(bytes) = machine.page_bytes {
            let sizes: Vec<String> = self
                .system
                .page_bytes
                .iter()
                .map(ToString::to_string)
                .collect();
            let fits = self.system.page_bytes.contains(&bytes);
            check(
                "page size",
                fits,
                format!("{} bytes", sizes.join(" or ")),
                bytes.to_string(),
            );
        }
        if let (Some(mib), [least, .., most] | [least @ most]) =
            (machine.ram_mib, self.memory.ram_mib.as_slice())
        {
            // The kernel, the GPU and the camera keep up to a third of a small board's memory.
            let fits = mib <= *most && mib >= least - least / 3;
            let expected = match least == most {
                true => format!("{most} MiB"),
                false => format!("{least} to {most} MiB"),
            };
            check("memory", fits, expected, format!("{mib} MiB"));
        }
        if let Some(version) = &machine.glibc {
            let fits = release(version) >= release(&self.system.glibc_floor);
            let expected = format!("{} or newer", self.system.glibc_floor);
            check("glibc", fits, expected, version.clone());
        }
        found
    }
}

/// The numbers of a version.
fn release(version: &str) -> Vec<u32> {
    let numbers = version.split('.').map_while(|part| part.parse().ok());
    numbers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pi4() -> Machine {
        Machine {
            model: Some("Raspberry Pi 4 Model B Rev 1.4".into()),
            core: Some("Cortex-A72".into()),
            cores_online: Some(4),
            features: ["fp", "asimd", "evtstrm", "crc32", "cpuid"]
                .map(String::from)
                .to_vec(),
            page_bytes: Some(4096),
            ram_mib: Some(3794),
            glibc: Some("2.36".into()),
        }
    }

    #[test]
    fn a_board_as_it_is_sold_does_not_differ() {
        let machine = pi4();
        let profile = Profile::of(&machine).expect("a board");
        assert_eq!(profile.id, "rpi-4");
        assert_eq!(profile.differences(&machine), []);
    }

    #[test]
    fn each_difference_is_named() {
        let profile = Profile::find("rpi-4").expect("a board");
        let differs = |change: fn(&mut Machine)| {
            let mut machine = pi4();
            change(&mut machine);
            let found = profile.differences(&machine);
            assert_eq!(found.len(), 1, "{found:?}");
            found[0].to_string()
        };
        assert_eq!(
            differs(|m| m.cores_online = Some(2)),
            "cores: expected 4 online, got 2"
        );
        assert_eq!(
            differs(|m| m.core = Some("Cortex-A53".into())),
            "core: expected Cortex-A72, got Cortex-A53"
        );
        assert_eq!(
            differs(|m| m.features.retain(|feature| feature != "crc32")),
            "features: expected fp asimd crc32 cpuid, got no crc32"
        );
        assert_eq!(
            differs(|m| m.page_bytes = Some(16384)),
            "page size: expected 4096 bytes, got 16384"
        );
        assert_eq!(
            differs(|m| m.ram_mib = Some(512)),
            "memory: expected 1024 to 8192 MiB, got 512 MiB"
        );
        assert_eq!(
            differs(|m| m.glibc = Some("2.9".into())),
            "glibc: expected 2.31 or newer, got 2.9"
        );
    }

    #[test]
    fn what_a_machine_does_not_say_is_no_difference() {
        let silent = Machine::default();
        assert_eq!(Profile::of(&silent), None);
        let profile = Profile::find("rpi-4").expect("a board");
        assert_eq!(profile.differences(&silent), []);
    }
}
