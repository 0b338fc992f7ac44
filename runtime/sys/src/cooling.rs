//! Whether the machine cools its CPUs by slowing them down.
//!
//! The kernel lists what can cool the machine in `/sys/class/thermal`; one whose type names the CPU's frequency holds the
//! CPUs back while its state is not 0.
//!
//! Limits: devices are listed once. A board whose firmware slows the CPU down unseen by the kernel says nothing here.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Where Linux lists cooling devices.
pub const COOLING_DEVICES: &str = "/sys/class/thermal";

/// The types of the devices that slow CPUs down, up to the number at their end.
const SLOWING: [&str; 2] = ["thermal-cpufreq", "cpufreq-cpu"];

/// A file is asked no more often than this.
const EVERY: Duration = Duration::from_secs(1);

/// The devices that slow CPUs down.
pub struct Cooling {
    states: Vec<PathBuf>,
    asked: Option<Instant>,
    throttled: bool,
}

impl Cooling {
    /// The devices below a folder such as [`COOLING_DEVICES`]; none where it cannot be read.
    pub fn of(folder: &Path) -> Cooling {
        let devices = fs::read_dir(folder).into_iter().flatten().flatten();
        let slowing = devices.map(|device| device.path()).filter(|device| {
            let kind = fs::read_to_string(device.join("type")).unwrap_or_default();
            SLOWING.iter().any(|name| kind.starts_with(name))
        });
        Cooling {
            states: slowing.map(|device| device.join("cur_state")).collect(),
            asked: None,
            throttled: false,
        }
    }

    /// Whether one of them is at work, as it was within the last second.
    pub fn throttled(&mut self, now: Instant) -> bool {
        let known = |asked: Instant| now.saturating_duration_since(asked) < EVERY;
        if !self.asked.is_some_and(known) {
            self.asked = Some(now);
            self.throttled = self.states.iter().any(|state| at_work(state));
        }
        self.throttled
    }
}

/// Whether a device's state is not 0; one that cannot be read is at rest.
fn at_work(state: &Path) -> bool {
    let mut digits = [0; 20];
    let read = File::open(state).and_then(|mut file| file.read(&mut digits));
    let text = std::str::from_utf8(&digits[..read.unwrap_or(0)]);
    text.is_ok_and(|text| text.trim().parse::<u64>().is_ok_and(|state| state > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of devices, each with its type and state.
    fn folder(devices: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (index, (kind, state)) in devices.iter().enumerate() {
            let device = folder.path().join(format!("cooling_device{index}"));
            fs::create_dir(&device).expect("a folder");
            fs::write(device.join("type"), format!("{kind}\n")).expect("a file");
            fs::write(device.join("cur_state"), format!("{state}\n")).expect("a file");
        }
        folder
    }

    fn throttled(devices: &[(&str, &str)]) -> bool {
        Cooling::of(folder(devices).path()).throttled(Instant::now())
    }

    #[test]
    fn cpus_that_are_held_back_are_throttled() {
        let fan = ("pwm-fan", "3");
        assert!(throttled(&[fan, ("thermal-cpufreq-0", "2")]));
        assert!(throttled(&[("cpufreq-cpu4", "1"), fan]));
        assert!(!throttled(&[fan, ("thermal-cpufreq-0", "0")]));
        for nonsense in ["", "-1", "x", "99999999999999999999999999"] {
            assert!(!throttled(&[("thermal-cpufreq-0", nonsense)]), "{nonsense}");
        }
        assert!(!throttled(&[fan]));
        assert!(!Cooling::of(Path::new("no/such/folder")).throttled(Instant::now()));
    }

    #[test]
    fn it_is_asked_once_a_second() {
        let folder = folder(&[("thermal-cpufreq-0", "0")]);
        let mut cooling = Cooling::of(folder.path());
        let start = Instant::now();
        assert!(!cooling.throttled(start));
        fs::write(folder.path().join("cooling_device0/cur_state"), "1\n").expect("a file");
        assert!(!cooling.throttled(start + EVERY - Duration::from_millis(1)));
        assert!(cooling.throttled(start + EVERY));
        assert!(cooling.throttled(start + EVERY + Duration::from_millis(1)));
    }
}
