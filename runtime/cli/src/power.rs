//! What the board draws: by a monitor on an I2C bus that the user names, else by the sensor of the board's profile.
//!
//! Limits: a monitor's figure is a mean of the last tenth of a second or so, of everything behind its shunt.

use anyhow::Context;
use embedded_hal::i2c::I2c;
use linux_embedded_hal::I2cdev;
use ocellus_boards::{Profile, State};
use ocellus_drivers::{Channel, Energy, Ina219, Ina3221, PowerError};
use std::{
    fmt::Debug,
    path::{Path, PathBuf},
    str::FromStr,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Where most boards have a monitor: the bus of a Raspberry Pi's header,
const BUS: &str = "/dev/i2c-1";

/// the address of a part whose pins are left open,
const ADDRESS: u8 = 0x40;

/// and the shunt of most breakout boards, in ohms.
const SHUNT_OHMS: f32 = 0.1;

/// Which monitor the user has.
#[derive(Default, clap::Args)]
pub struct PowerOption {
    /// A power monitor in the board's supply line: ina219 or ina3221.1 to .3 for a channel, then :BUS:ADDRESS:OHMS where they
    /// differ from /dev/i2c-1:0x40:0.1. Boards whose profile has a sensor need none
    #[arg(long, value_name = "MONITOR[:BUS[:ADDRESS[:OHMS]]]")]
    power: Option<Monitor>,
}

impl PowerOption {
    /// The meter of this machine, if it has one; the profile's files lie below `root`.
    ///
    /// # Errors
    /// No such bus, or another part at that address.
    pub fn meter(
        &self,
        root: &Path,
        profile: Option<&'static Profile>,
    ) -> anyhow::Result<Option<Meter>> {
        match &self.power {
            Some(monitor) => monitor.meter().map(Some),
            None => Ok(Meter::of_board(root, profile)),
        }
    }
}

/// A monitor as a command line names it.
#[derive(Clone, Debug, PartialEq)]
struct Monitor {
    part: Part,
    bus: PathBuf,
    address: u8,
    shunt_ohms: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Ina219,
    Ina3221(Channel),
}

impl FromStr for Monitor {
    type Err = String;

    fn from_str(text: &str) -> Result<Monitor, String> {
        let refuse = |what: &str| {
            format!("expected {what}, as in ina219:{BUS}:{ADDRESS:#04x}:{SHUNT_OHMS}, got {text:?}")
        };
        let mut words = text.split(':');
        let part = match words.next() {
            Some("ina219") => Part::Ina219,
            Some("ina3221.1") => Part::Ina3221(Channel::One),
            Some("ina3221.2") => Part::Ina3221(Channel::Two),
            Some("ina3221.3") => Part::Ina3221(Channel::Three),
            _ => return Err(refuse("ina219, ina3221.1, ina3221.2 or ina3221.3")),
        };
        let bus = words.next().unwrap_or(BUS).into();
        let address = words
            .next()
            .map_or(Some(ADDRESS), |word| match word.strip_prefix("0x") {
                Some(digits) => u8::from_str_radix(digits, 16).ok(),
                None => word.parse().ok(),
            });
        // What the parts' pins can choose.
        let possible = match part {
            Part::Ina219 => 0x40..=0x4f,
            Part::Ina3221(_) => 0x40..=0x43,
        };
        let address = address.filter(|address| possible.contains(address));
        let address = address.ok_or_else(|| {
            let (first, last) = (possible.start(), possible.end());
            refuse(&format!("an address from {first:#04x} to {last:#04x}"))
        })?;
        let ohms = words.next().map_or(Ok(SHUNT_OHMS), str::parse);
        let shunt_ohms = ohms.ok().filter(|ohms| *ohms > 0.0 && ohms.is_finite());
        let shunt_ohms = shunt_ohms.ok_or_else(|| refuse("the shunt's ohms, above 0"))?;
        match words.next() {
            Some(_) => Err(refuse("four parts at most")),
            None => Ok(Monitor {
                part,
                bus,
                address,
                shunt_ohms,
            }),
        }
    }
}

impl Monitor {
    fn meter(&self) -> anyhow::Result<Meter> {
        let bus = I2cdev::new(&self.bus).with_context(|| {
            format!(
                "--power: {}: no I2C bus; switch it on (raspi-config, or dtparam=i2c_arm=on), and be in the group i2c; \
                 `i2cdetect -l` lists them",
                self.bus.display()
            )
        })?;
        self.on(bus).map_err(|error| {
            let (bus, address) = (self.bus.display(), self.address);
            anyhow::anyhow!("--power: {bus}, address {address:#04x}: {error}")
        })
    }

    /// The part on this bus.
    fn on<B>(&self, bus: B) -> Result<Meter, PowerError<B::Error>>
    where
        B: I2c<Error: Debug + Send> + Send + 'static,
    {
        let watts = |draw: Result<ocellus_drivers::Draw, PowerError<B::Error>>| {
            draw.map(|draw| draw.watts())
                .map_err(|error| error.to_string())
        };
        match self.part {
            Part::Ina219 => {
                let mut part = Ina219::new(bus, self.address, self.shunt_ohms)?;
                Ok(Meter::new(move || watts(part.read())))
            }
            Part::Ina3221(channel) => {
                let mut part = Ina3221::new(bus, self.address, [self.shunt_ohms; 3])?;
                Ok(Meter::new(move || watts(part.read(channel))))
            }
        }
    }
}

/// Reads watts.
type Read = dyn FnMut() -> Result<f32, String> + Send;

/// Something that tells how many watts flow.
pub struct Meter {
    read: Box<Read>,
    /// That it failed was said.
    said: bool,
}

impl Meter {
    fn new(read: impl FnMut() -> Result<f32, String> + Send + 'static) -> Meter {
        Meter {
            read: Box::new(read),
            said: false,
        }
    }

    /// The sensor of a board's profile, if it has one that answers.
    fn of_board(root: &Path, profile: Option<&'static Profile>) -> Option<Meter> {
        let (root, profile) = (root.to_owned(), profile?);
        State::power_watts(&root, profile)?;
        let sensor = &profile.power.as_ref()?.sensor;
        Some(Meter::new(move || {
            State::power_watts(&root, profile).ok_or_else(|| format!("{sensor} is gone"))
        }))
    }

    /// Watts; `None` where it fails, which is said once.
    pub fn watts(&mut self) -> Option<f32> {
        match (self.read)() {
            Ok(watts) => Some(watts),
            Err(error) => {
                if !self.said {
                    log::warn!("power: {error}");
                    self.said = true;
                }
                None
            }
        }
    }

    /// Reads now and then, on a thread of its own, until the recording ends.
    pub fn record(mut self) -> Recording {
        let (stop, stopped) = mpsc::channel();
        let start = Instant::now();
        let thread = thread::spawn(move || {
            let (mut energy, mut samples, mut over) = (Energy::default(), 0, false);
            loop {
                if let Some(watts) = self.watts() {
                    energy.add(start.elapsed(), watts);
                    samples += 1;
                }
                if over {
                    return (self, Recorded::of(&energy, start.elapsed(), samples));
                }
                over = stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout);
            }
        });
        Recording { stop, thread }
    }
}

/// How often a recording reads: a monitor has a new figure a little less often.
const EVERY: Duration = Duration::from_millis(50);

/// What is shorter is not worth a figure: it is that of a few samples.
const SHORTEST: Duration = Duration::from_secs(1);

/// A meter that is being read.
pub struct Recording {
    stop: Sender<()>,
    thread: JoinHandle<(Meter, Option<Recorded>)>,
}

impl Recording {
    /// Ends it: the meter, if its thread lives, and what was recorded, of a second or more.
    pub fn end(self) -> (Option<Meter>, Option<Recorded>) {
        // It ends by the other end's going, too.
        let _ = self.stop.send(());
        match self.thread.join() {
            Ok((meter, recorded)) => (Some(meter), recorded),
            Err(_) => (None, None),
        }
    }
}

/// What was drawn in a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recorded {
    /// Everything that flowed through the monitor.
    pub joules: f64,
    /// In so many seconds.
    pub seconds: f64,
    /// Their quotient.
    pub mean_watts: f64,
    /// How often it was read.
    pub samples: u32,
}

impl Recorded {
    fn of(energy: &Energy, time: Duration, samples: u32) -> Option<Recorded> {
        let (joules, seconds) = (energy.joules(), time.as_secs_f64());
        (time >= SHORTEST && samples > 2).then(|| Recorded {
            joules,
            seconds,
            mean_watts: joules / seconds,
            samples,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    #[test]
    fn a_monitor_is_named_by_its_part_and_where_it_differs() {
        let of = |text: &str| text.parse::<Monitor>().expect(text);
        let usual = Monitor {
            part: Part::Ina219,
            bus: BUS.into(),
            address: 0x40,
            shunt_ohms: 0.1,
        };
        assert_eq!(of("ina219"), usual);
        assert_eq!(of("ina219:/dev/i2c-1:64:0.1"), usual);
        let other = of("ina3221.2:/dev/i2c-7:0x41:0.005");
        assert_eq!(other.part, Part::Ina3221(Channel::Two));
        assert_eq!((other.address, other.shunt_ohms), (0x41, 0.005));
        for (wrong, expected) in [
            ("", "ina3221.3"),
            ("ina3221", "ina3221.3"),
            ("ina219:/dev/i2c-1:0x50", "0x40 to 0x4f"),
            ("ina3221.1:/dev/i2c-1:0x44", "0x40 to 0x43"),
            ("ina219:/dev/i2c-1:x", "0x40 to 0x4f"),
            ("ina219:/dev/i2c-1:0x40:0", "ohms"),
            ("ina219:/dev/i2c-1:0x40:NaN", "ohms"),
            ("ina219:/dev/i2c-1:0x40:0.1:5", "four"),
        ] {
            let error = wrong.parse::<Monitor>().expect_err(wrong);
            assert!(
                error.contains(expected) && error.contains("/dev/i2c-1"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_monitor_that_falls_silent_is_none_and_not_the_end() {
        // 12 V and 0.2 A, and then a loose wire.
        let read = |register: u8, bytes: [u8; 2]| {
            Transaction::write_read(0x40, vec![register], bytes.to_vec())
        };
        let loose = embedded_hal::i2c::ErrorKind::Bus;
        let mut bus = Mock::new(&[
            Transaction::write(0x40, vec![0x00, 0x3f, 0xff]),
            read(0x00, [0x3f, 0xff]),
            read(0x01, [0x07, 0xd0]),
            read(0x02, [0x5d, 0xc0]),
            read(0x01, [0, 0]).with_error(loose),
        ]);
        let monitor: Monitor = "ina219".parse().expect("a monitor");
        let mut meter = monitor.on(bus.clone()).expect("a part");
        let watts = meter.watts().expect("watts");
        assert!((watts - 2.4).abs() < 0.01, "{watts}");
        assert_eq!(meter.watts(), None);
        drop(meter);
        bus.done();
    }

    #[test]
    fn a_recording_is_power_over_its_time() {
        let start = Instant::now();
        let recording = Meter::new(|| Ok(2.0)).record();
        thread::sleep(2 * SHORTEST);
        let (meter, recorded) = recording.end();
        let (recorded, took) = (recorded.expect("a second"), start.elapsed().as_secs_f64());
        assert!(meter.is_some());
        // On a busy machine the first sample may be late.
        assert!(
            recorded.joules >= 2.0 * SHORTEST.as_secs_f64(),
            "{recorded:?}"
        );
        assert!(
            recorded.joules <= 2.0 * took + 1e-3,
            "{recorded:?} in {took} s"
        );
        assert!(
            recorded.mean_watts > 1.0 && recorded.mean_watts < 2.01,
            "{recorded:?}"
        );
        // A moment is no measurement.
        let (meter, recorded) = meter.expect("a meter").record().end();
        assert!(meter.is_some() && recorded.is_none(), "{recorded:?}");
    }
}
