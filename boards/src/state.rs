//! How a machine is just now: heat, clock, power, and whether it was slowed down.
//!
//! A known board's files are those of its profile. Elsewhere the hottest thermal zone and the kernel's own cooling devices
//! stand for them.
//!
//! Limits: Linux. What a machine does not say is `None`.

use crate::profile::{PowerUnit, Profile, Throttle};
use ocellus_sys::Cooling;
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

/// How a machine is just now. Field names are the JSON's.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct State {
    /// The heat of the cores, in degrees Celsius.
    pub temperature_celsius: Option<f32>,
    /// The clock of the fastest core, in MHz.
    pub clock_mhz: Option<u32>,
    /// Who chooses the clock, such as `performance` or `ondemand`.
    pub governor: Option<String>,
    /// Something slows the cores down now: heat, or too little voltage.
    pub slowed: bool,
    /// Something did since the machine was started. Only the firmware of a Raspberry Pi remembers.
    pub slowed_since_start: bool,
    /// The power that the board draws, in watts.
    pub power_watts: Option<f32>,
}

impl State {
    /// The state of the machine whose `sys` lies below a folder, by its profile if it has one.
    pub fn below(root: &Path, profile: Option<&Profile>) -> State {
        let system = Files(root);
        let (slowed, slowed_since_start) = match profile.map(|profile| &profile.thermal.throttle) {
            Some(Throttle::RaspberryFirmware { path }) => system.firmware(path).unwrap_or_default(),
            _ => {
                let devices = root.join("sys/class/thermal");
                (Cooling::of(&devices).throttled(Instant::now()), false)
            }
        };
        State {
            temperature_celsius: system.temperature(profile),
            clock_mhz: system.clock_mhz(),
            governor: system.text("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            slowed,
            slowed_since_start,
            power_watts: profile.and_then(|profile| system.power_watts(profile)),
        }
    }

    /// The power that a board draws, in watts, by the sensor of its profile, whose files lie below `root`.
    pub fn power_watts(root: &Path, profile: &Profile) -> Option<f32> {
        Files(root).power_watts(profile)
    }

    /// Why a time that was taken between `before` and this one says nothing about the machine at its best.
    pub fn spoilt_since(&self, before: &State) -> Option<&'static str> {
        if before.slowed || self.slowed {
            Some("the cores were slowed down")
        } else if self.slowed_since_start && !before.slowed_since_start {
            Some("the cores were slowed down meanwhile")
        } else {
            None
        }
    }
}

/// The files of a machine.
struct Files<'a>(&'a Path);

impl Files<'_> {
    /// The first file that a path with stars stands for, in the order of their names.
    fn find(&self, path: &str) -> Option<PathBuf> {
        let root = glob::Pattern::escape(&self.0.to_string_lossy());
        let pattern = format!("{}/{path}", root.trim_end_matches('/'));
        glob::glob(&pattern).ok()?.flatten().next()
    }

    fn text(&self, path: &str) -> Option<String> {
        let text = fs::read_to_string(self.find(path)?).ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn number(&self, path: &str) -> Option<f32> {
        self.text(path)?.parse().ok()
    }

    /// Of the first zone that the profile names; of a machine without one, the hottest.
    fn temperature(&self, profile: Option<&Profile>) -> Option<f32> {
        let zones: Vec<(String, f32)> = (0..64)
            .filter_map(|zone| {
                let zone = format!("sys/class/thermal/thermal_zone{zone}");
                let kind = self.text(&format!("{zone}/type"))?;
                Some((kind, self.number(&format!("{zone}/temp"))? / 1000.0))
            })
            .collect();
        match profile {
            Some(profile) => profile.thermal.zones.iter().find_map(|name| {
                let zone = zones.iter().find(|(kind, _)| kind == name);
                zone.map(|&(_, celsius)| celsius)
            }),
            None => zones
                .iter()
                .map(|&(_, celsius)| celsius)
                .max_by(f32::total_cmp),
        }
    }

    fn clock_mhz(&self) -> Option<u32> {
        let clocks = (0..64).filter_map(|core| {
            let kilohertz = self.number(&format!(
                "sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq"
            ));
            kilohertz.map(|kilohertz| (kilohertz / 1000.0).round() as u32)
        });
        clocks.max()
    }

    /// What the bits of a Raspberry Pi's firmware say: now, and since its start.
    fn firmware(&self, path: &str) -> Option<(bool, bool)> {
        let text = self.text(path)?;
        let bits = u32::from_str_radix(text.trim_start_matches("0x"), 16).ok()?;
        Some((bits & 0xf != 0, bits & 0xf_0000 != 0))
    }

    fn power_watts(&self, profile: &Profile) -> Option<f32> {
        let power = profile.power.as_ref()?;
        match power.unit {
            PowerUnit::Milliwatt => Some(self.number(&power.path)? / 1e3),
            PowerUnit::VoltAmpere => {
                let of = |file: &str| self.number(&format!("{}/{file}", power.path));
                Some(of("in1_input")? * of("curr1_input")? / 1e6)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// A machine with these files.
    fn machine(files: &[(&str, &str)]) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        folder
    }

    fn profile(id: &str) -> Option<&'static Profile> {
        Some(Profile::find(id).expect("a board"))
    }

    const FIRMWARE: &str = "sys/devices/platform/soc/soc:firmware/get_throttled";

    #[test]
    fn a_raspberry_pi_says_all_but_its_power() {
        let machine = machine(&[
            ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
            ("sys/class/thermal/thermal_zone0/temp", "61335\n"),
            (
                "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq",
                "600000\n",
            ),
            (
                "sys/devices/system/cpu/cpu3/cpufreq/scaling_cur_freq",
                "1800000\n",
            ),
            (
                "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
                "ondemand\n",
            ),
            (FIRMWARE, "50000\n"),
        ]);
        let expected = State {
            temperature_celsius: Some(61.335),
            clock_mhz: Some(1800),
            governor: Some("ondemand".into()),
            slowed: false,
            slowed_since_start: true,
            power_watts: None,
        };
        assert_eq!(State::below(machine.path(), profile("rpi-4")), expected);
    }

    #[test]
    fn the_zone_and_the_sensor_are_the_profile_s() {
        let files = [
            ("sys/class/thermal/thermal_zone0/type", "PMIC-Die"),
            ("sys/class/thermal/thermal_zone0/temp", "100000"),
            ("sys/class/thermal/thermal_zone1/type", "CPU-therm"),
            ("sys/class/thermal/thermal_zone1/temp", "45500"),
            (
                "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input",
                "2345",
            ),
            (
                "sys/class/thermal/cooling_device0/type",
                "thermal-cpufreq-0",
            ),
            ("sys/class/thermal/cooling_device0/cur_state", "2"),
        ];
        let machine = machine(&files);
        let state = State::below(machine.path(), profile("jetson-nano"));
        assert_eq!(state.temperature_celsius, Some(45.5));
        assert_eq!(state.power_watts, Some(2.345));
        assert!(state.slowed);
        let unknown = State::below(machine.path(), None);
        assert_eq!(unknown.temperature_celsius, Some(100.0));
        assert!(unknown.slowed && unknown.power_watts.is_none());
    }

    #[test]
    fn a_machine_that_says_nothing_is_not_slowed() {
        for profile in [None, profile("rpi-4"), profile("jetson-orin-nano")] {
            let state = State::below(Path::new("no/such/machine"), profile);
            assert_eq!(state, State::default());
        }
    }

    #[test]
    fn a_time_is_spoilt_by_what_slowed_the_cores() {
        let state = |text| {
            let machine = machine(&[(FIRMWARE, text)]);
            State::below(machine.path(), profile("rpi-5"))
        };
        let (calm, once, now) = (state("0x0"), state("0x20000"), state("20002"));
        assert_eq!(calm.spoilt_since(&calm), None);
        assert_eq!(once.spoilt_since(&once), None);
        assert!(once.spoilt_since(&calm).is_some());
        assert!(now.spoilt_since(&once).is_some());
        assert!(calm.spoilt_since(&now).is_some());
    }
}
