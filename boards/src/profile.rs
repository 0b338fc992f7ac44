//! One board's facts, as its file in `profiles/` has them.

use ocellus_sys::Machine;
use serde::Deserialize;
use std::sync::LazyLock;

/// A board, or a family of boards that differ in nothing that matters here.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What commands and files call it, e.g. `rpi-4`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Other ids that mean it. Hyphens never matter: `rpi4` is `rpi-4`.
    pub also: Vec<String>,
    /// How the device tree's model of such a board begins.
    pub models: Vec<String>,
    /// The system that it runs.
    pub system: System,
    /// Its cores.
    pub cpu: Cpu,
    /// Its memory.
    pub memory: Memory,
    /// Where its heat can be read.
    pub thermal: Thermal,
    /// What its cameras give.
    pub camera: Camera,
    /// What a program uses that is not told otherwise.
    pub defaults: Defaults,
    /// Where the power it draws can be read, if anywhere.
    pub power: Option<Power>,
    /// What else one should know.
    #[serde(default)]
    pub notes: Vec<Note>,
}

/// The system that a board runs.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// The Rust target of its programs.
    pub triple: String,
    /// Which systems are meant.
    pub os: String,
    /// The oldest glibc among them, e.g. `2.31`: a program may ask for nothing newer.
    pub glibc_floor: String,
    /// Page sizes of its kernels in bytes, the default one first.
    pub page_bytes: Vec<usize>,
}

/// A board's cores.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Cpu {
    /// Their kind, as `ocellus doctor` names it.
    pub core: String,
    /// How many.
    pub cores: usize,
    /// The clock that they are sold with, in MHz.
    pub clock_mhz: u32,
    /// Capabilities that `/proc/cpuinfo` lists under `Features` and that matter here.
    pub features: Vec<String>,
    /// The best of our instruction sets that they have: `neon` or `dotprod`.
    pub isa: String,
}

/// A board's memory.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// The sizes that it is sold with, in MiB, rising.
    pub ram_mib: Vec<u64>,
}

/// Where a board's heat can be read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Thermal {
    /// Types of the thermal zones of its cores, in `/sys/class/thermal`; the first that exists counts.
    pub zones: Vec<String>,
    /// What says that the clock was lowered.
    pub throttle: Throttle,
}

/// What says that a board's clock was lowered.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(tag = "source", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Throttle {
    /// The firmware of a Raspberry Pi, in a file: hexadecimal bits, of which 0 to 3 are now (voltage, clock capped,
    /// throttled, soft limit) and 16 to 19 since the start.
    RaspberryFirmware {
        /// The file, from the root; `*` stands for any part of a name.
        path: String,
    },
    /// A cooling device of the kernel that lowers the cores' clock, in `/sys/class/thermal`.
    CpufreqCooling,
}

/// What a board's cameras give.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// V4L2 codes of pixel formats, the usual one first.
    pub formats: Vec<String>,
}

/// What a program uses that is not told otherwise.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// How many threads.
    pub threads: usize,
    /// On which cores, by their numbers.
    pub cpus: Vec<usize>,
}

/// Where the power that a board draws can be read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Power {
    /// The part that measures.
    pub sensor: String,
    /// Its file or folder, from the root; `*` stands for any part of a name.
    pub path: String,
    /// What is in it.
    pub unit: PowerUnit,
}

/// What a power sensor's path holds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum PowerUnit {
    /// A file with milliwatts.
    Milliwatt,
    /// A folder with `in1_input` in millivolts and `curr1_input` in milliamperes.
    VoltAmpere,
}

/// Something to know, and where it stands.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The fact.
    pub text: String,
    /// Its source.
    pub source: String,
}

/// No board has this id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no board is called {id:?}; the boards are {known}")]
pub struct UnknownBoard {
    /// The id that was asked for.
    pub id: String,
    /// All ids.
    pub known: String,
}

const FILES: [&str; 7] = [
    include_str!("../profiles/rpi-zero-2-w.toml"),
    include_str!("../profiles/rpi-3.toml"),
    include_str!("../profiles/rpi-4.toml"),
    include_str!("../profiles/rpi-5.toml"),
    include_str!("../profiles/jetson-nano.toml"),
    include_str!("../profiles/jetson-xavier-nx.toml"),
    include_str!("../profiles/jetson-orin-nano.toml"),
];

/// Every board.
pub fn all() -> &'static [Profile] {
    // A test reads every file, so none that ships is wrong.
    static ALL: LazyLock<Vec<Profile>> = LazyLock::new(|| {
        let parse = |text: &&str| toml::from_str(text).unwrap_or_else(|error| panic!("{error}"));
        FILES.iter().map(parse).collect()
    });
    &ALL
}

impl Profile {
    /// The board that an id means. Case and hyphens do not matter.
    ///
    /// # Errors
    /// [`UnknownBoard`], with all ids.
    pub fn find(id: &str) -> Result<&'static Profile, UnknownBoard> {
        let bare = |id: &str| id.to_ascii_lowercase().replace(['-', '_'], "");
        let asked = bare(id);
        let means = |profile: &&Profile| {
            let mut ids = std::iter::once(&profile.id).chain(&profile.also);
            ids.any(|known| bare(known) == asked)
        };
        all().iter().find(means).ok_or_else(|| {
            let known: Vec<&str> = all().iter().map(|profile| profile.id.as_str()).collect();
            UnknownBoard {
                id: id.to_owned(),
                known: known.join(", "),
            }
        })
    }

    /// The board that a machine is, by the model in its device tree.
    pub fn of(machine: &Machine) -> Option<&'static Profile> {
        let model = machine.model.as_deref()?;
        let begins =
            |profile: &&Profile| profile.models.iter().any(|known| model.starts_with(known));
        all().iter().find(begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_a_board() {
        let folder = std::fs::read_dir("profiles").expect("the folder");
        let mut files: Vec<String> = folder
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("UTF-8")
            })
            .collect();
        let mut ids: Vec<String> = all().iter().map(|p| format!("{}.toml", p.id)).collect();
        files.sort();
        ids.sort();
        assert_eq!(files, ids);
    }

    #[test]
    fn ids_are_found_without_hyphens_and_mean_one_board() {
        for (asked, id) in [
            ("rpi4", "rpi-4"),
            ("RPi-Zero-2-W", "rpi-zero-2-w"),
            ("rpi_cm5", "rpi-5"),
            ("orin-nano", "jetson-orin-nano"),
        ] {
            assert_eq!(Profile::find(asked).expect("a board").id, id);
        }
        for profile in all() {
            for id in std::iter::once(&profile.id).chain(&profile.also) {
                assert_eq!(Profile::find(id).expect("a board").id, profile.id, "{id}");
            }
        }
        let error = Profile::find("rpi-2").expect_err("32-bit").to_string();
        assert!(error.contains("rpi-zero-2-w"), "{error}");
    }

    #[test]
    fn facts_agree_with_one_another() {
        for profile in all() {
            let Profile {
                id, cpu, system, ..
            } = profile;
            let has = |feature: &str| cpu.features.iter().any(|known| known == feature);
            let best = match has("asimddp") && has("asimdhp") {
                true => "dotprod",
                false => "neon",
            };
            assert_eq!(cpu.isa, best, "{id}");
            assert!(profile.defaults.threads <= cpu.cores, "{id}");
            assert!(
                profile.defaults.cpus.iter().all(|core| *core < cpu.cores),
                "{id}"
            );
            assert!(profile.memory.ram_mib.is_sorted(), "{id}");
            assert!(
                system
                    .page_bytes
                    .iter()
                    .all(|bytes| bytes.is_power_of_two()),
                "{id}"
            );
            let floor = system.glibc_floor.split_once('.').expect("major.minor");
            assert_eq!(floor.0, "2", "{id}");
            assert!(
                floor.1.parse::<u32>().is_ok_and(|minor| minor >= 27),
                "{id}"
            );
            for note in &profile.notes {
                assert!(note.source.starts_with("https://"), "{id}: {}", note.text);
            }
        }
    }
}
